// Somebody else saved meanwhile, and both changed the same: both are shown, and one chooses or writes a third.

import { el, plural, show, words } from "./dom.js";
import { merge, put } from "./teach-merge.js";

const LISTS = new Set(["differential", "keywords", "references"]);

function named(path, document_) {
  const [list, key, field] = path;
  if (path.length === 1) return words(list);
  if (path.length === 2) return `order of the ${list === "images" ? "films" : "sections"}`;
  const place = document_[list].findIndex((one) => one.key === key) + 1;
  return `${list === "images" ? "film" : "section"} ${place}: ${words(field)}`;
}

const shown = (value, path, before) => (path.length === 2 ? value.map((key) => before[path[0]].findIndex((one) => one.key === key) + 1).join(", ") : LISTS.has(path[0]) ? value.join("\n") : typeof value === "string" ? value
  : path.at(-1) === "annotations" ? plural(value.length, "mark") + (value.length ? `: ${value.map((mark) => [mark.kind, mark.text && `“${mark.text}”`].filter(Boolean).join(" ")).join(", ")}` : "")
    : value.map((one) => [one.name, one.affiliation, one.contact].filter(Boolean).join(", ")).join("\n"));

// draft: mine.  latest: the file as it is by now.  keep(document): save what was chosen, made from the latest.
export function settle(place, message, draft, latest, keep) {
  const { document: merged, conflicts } = merge(draft.base, draft.told(draft.document), latest.document);
  const answers = conflicts.map(({ path, mine, theirs }, n) => {
    const typed = typeof mine === "string" || LISTS.has(path[0]);
    const own = typed ? el("textarea", { rows: 4, "aria-label": `Yours: ${named(path, merged)}` }) : el("pre", {}, shown(mine, path, draft.base));
    if (typed) own.value = shown(mine, path, draft.base);
    const radio = (which, label, chosen) => el("label", { class: "pill" }, el("input", { type: "radio", name: `conflict-${n}`, value: which, checked: chosen }), el("span", {}, label));
    const take = radio("theirs", "theirs", false);
    return {
      read: () => { const chosen = take.querySelector("input").checked ? theirs : !typed ? mine : LISTS.has(path[0]) ? own.value.split("\n") : own.value; put(merged, path, chosen); },
      shown: el("section", { class: "conflict-of" }, el("h3", {}, named(path, merged)),
        el("div", { class: "both-of" }, el("div", {}, radio("mine", typed ? "yours, as it stands here" : "yours", true), own), el("div", {}, take, el("pre", {}, shown(theirs, path, draft.base) || "(empty)")))),
    };
  });
  place.replaceChildren(
    el("p", {}, el("strong", {}, "Two edits of one version.")), el("p", { class: "small" }, message),
    ...answers.map((one) => one.shown),
    el("p", { class: "row" }, el("button", { type: "button", class: "button primary", id: "settle", onclick: () => { for (const one of answers) one.read(); keep(draft.told(merged)); } }, answers.length ? "Save as chosen" : "Save both"),
      el("button", { type: "button", class: "link", onclick: () => show(place, false) }, "go on editing")));
  show(place, true);
  place.scrollIntoView({ block: "start" });
}
