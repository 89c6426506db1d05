// The words of a case as fields, each where readers will find them.

import { el } from "./dom.js";

const LINES = { told: (value) => value.join("\n"), read: (text) => text.split("\n") };
const COMMAS = { told: (value) => value.join(", "), read: (text) => text.split(",").map((one) => one.trim()) };
const PEOPLE = {
  told: (value) => value.map((one) => [one.name, one.affiliation, one.contact].join("; ").replace(/(; )+$/, "")).join("\n"),
  read: (text) => text.split("\n").filter((line) => line.trim()).map((line) => { const [name = "", affiliation = "", contact = ""] = line.split(";").map((part) => part.trim()); return { name, affiliation, contact }; }),
};
const PLAIN = { told: (value) => value, read: (text) => text };
// [key, label, rows, what to say of it, way, longest]
const MAIN = [
  ["title", "Title", 1, "", PLAIN, 300], ["alternative_title", "Title for quizzes", 1, "says nothing of the answer", PLAIN, 300],
  ["history", "History", 3, "", PLAIN, 40000], ["findings", "Findings", 3, "", PLAIN, 40000], ["diagnosis", "Diagnosis", 2, "the first line is the answer of quizzes", PLAIN, 4000],
  ["differential", "Differential diagnosis", 3, "one a line", LINES, 40000], ["discussion", "Discussion", 6, "", PLAIN, 40000], ["references", "References", 2, "one a line", LINES, 40000],
];
const FINE = [
  ["anatomy", "Anatomy"], ["pathology", "Pathology"], ["organ_system", "Organ system"], ["modality", "Modality"], ["category", "Category"], ["level", "Level"],
].map(([key, label]) => [key, label, 1, "", PLAIN, 300]);
const REST = [["keywords", "Keywords", 1, "parted by commas", COMMAS, 4000], ["authors", "Authors", 2, "one a line: name; affiliation; contact", PEOPLE, 10000], ["rights", "Rights", 2, "licence and terms of the file itself", PLAIN, 4000]];

function field(draft, holder, [key, label, rows, hint, way, most]) {
  const made = rows > 1 ? el("textarea", { rows, maxlength: most }) : el("input", { type: "text", maxlength: most });
  made.value = way.told(holder[key] ?? "");
  made.dataset.field = key;
  made.addEventListener("input", () => { holder[key] = way.read(made.value); draft.look(); });
  return el("label", { class: "entry" }, el("span", {}, label, hint && el("small", { class: "hint" }, ` · ${hint}`)), made);
}

// sections: they changed.  add(id): a film joins; it may fail.
export function wordFields(draft, sections, add) {
  const one = draft.document;
  const parts = el("div", {});
  const drawn = () => parts.replaceChildren(...one.sections.map((section) => el("fieldset", { class: "section-of" },
    field(draft, section, ["heading", "Heading", 1, "", PLAIN, 300]), field(draft, section, ["text", "Text", 2, "", PLAIN, 40000]),
    el("button", { type: "button", class: "link", onclick: () => { draft.step(); for (const image of one.images) if (image.section === section.key) image.section = ""; one.sections = one.sections.filter((other) => other !== section); drawn(); draft.look(); sections(); } }, "take this section away"))));
  drawn();
  const id = el("input", { type: "text", class: "mono", maxlength: "400", placeholder: "id or address of a film", spellcheck: false });
  const said = el("small", { class: "error", role: "alert" });
  const join = async () => {
    const found = id.value.match(/[0-9a-f]{8}-[0-9a-f-]{27}/i)?.[0];
    if (!found) { said.textContent = "Give a film’s id or address: open it from the search page to see it."; return; }
    try { await add(found); id.value = said.textContent = ""; } catch (error) { said.textContent = error.message; }
  };
  return [
    ...MAIN.map((def) => field(draft, one, def)),
    el("details", { class: "panel-of", open: one.sections.length > 0 }, el("summary", {}, "Sections"), parts,
      el("button", { type: "button", class: "button small-button", onclick: () => { one.sections.push({ key: `s${Math.random().toString(36).slice(2, 13)}`, heading: "New section", text: "" }); drawn(); draft.look(); sections(); } }, "Add a section")),
    el("details", { class: "panel-of" }, el("summary", {}, "Anatomy, keywords, authors, rights"), el("div", { class: "pair-of" }, FINE.map((def) => field(draft, one, def))), REST.map((def) => field(draft, one, def))),
    el("details", { class: "panel-of" }, el("summary", {}, "Add a film"), el("p", { class: "row" }, id, el("button", { type: "button", class: "button small-button", onclick: join }, "Add")), said),
  ];
}

// The fields of the film that is large.
export function filmFields(draft, image, { move, drop, placed }) {
  const { sections } = draft.document;
  const choice = el("select", { onchange: () => { draft.step(); image.section = choice.value; draft.look(); placed(); } },
    [["", "before all sections"], ...sections.map((one) => [one.key, one.heading || "(no heading)"])].map(([value, name]) => el("option", { value, selected: image.section === value }, name)));
  return [
    el("p", { class: "row film-acts" }, el("button", { type: "button", class: "link", title: "Alt ←", onclick: () => move(-1) }, "← earlier"), el("button", { type: "button", class: "link", title: "Alt →", onclick: () => move(1) }, "later →"),
      sections.length > 0 && el("label", { class: "quiet small" }, "section ", choice), el("button", { type: "button", class: "link", onclick: drop }, "take out of the case")),
    field(draft, image, ["caption", "Caption of this film", 2, "", PLAIN, 4000]),
    field(draft, image, ["key_note", "Key image, because", 1, "empty: it is none", PLAIN, 4000]),
  ];
}
