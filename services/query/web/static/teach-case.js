// What is written of a case, as readers see it, and whose films it shows.

import { el } from "./dom.js";
import { call } from "./api.js";
import { prose, spans } from "./teach-prose.js";
import { inOrder } from "./teach-films.js";

const part = (name, body, more = {}) => (body?.length ? el("section", more, el("h2", {}, name), body) : null);
const items = (lines, kind = "ul") => (lines.length ? [el(kind, {}, lines.map((line) => el("li", {}, spans(line))))] : []);
const FACTS = [["Anatomy", "anatomy"], ["Pathology", "pathology"], ["Organ system", "organ_system"], ["Modality", "modality"], ["Category", "category"], ["Level", "level"]];

const authors = (people) => people.map((one) => [one.name, one.affiliation, one.contact].filter(Boolean).join(", ")).filter(Boolean);

// history: false where it stands elsewhere already, as in a quiz.
export function written(document_, history = true) {
  const one = document_;
  const facts = [...FACTS.map(([name, key]) => [name, one[key]]), ["Keywords", one.keywords.join(", ")]].filter(([, value]) => value);
  return [
    history && part("History", prose(one.history)),
    part("Findings", prose(one.findings)),
    part("Diagnosis", prose(one.diagnosis), { class: "diagnosis" }),
    part("Differential diagnosis", items(one.differential)),
    part("Discussion", prose(one.discussion)),
    ...one.sections.map((section) => part(section.heading || "Section", [...prose(section.text), ...films(one, section.key)])),
    part("References", items(one.references, "ol")),
    facts.length && el("dl", { class: "case-facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    part("Authors", items(authors(one.authors))),
    part("Rights", prose(one.rights)),
    one.origin && el("details", { class: "fine" }, el("summary", {}, "How it came about"), prose(one.origin)),
  ].filter(Boolean);
}

function films(one, section) {
  const places = inOrder(one.images, one.sections).map((image, n) => [image, n + 1]).filter(([image]) => image.section === section).map(([, n]) => n);
  return places.length ? [el("p", { class: "quiet small" }, `Film${places.length > 1 ? "s" : ""} ${runs(places)}`)] : [];
}

// 1, 2, 3, 6 → "1–3, 6"
export function runs(places) {
  const found = [];
  for (const n of places) {
    const last = found.at(-1);
    if (last && last[1] === n - 1) last[1] = n; else found.push([n, n]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`)).join(", ");
}

// What stands under the large film.
export function underFilm(image) {
  return [
    image.caption && el("div", { class: "caption-of" }, prose(image.caption)),
    image.key_note && el("p", {}, el("span", { class: "chip present" }, "key image"), " ", spans(image.key_note.replaceAll("\n", " "))),
    (image.why || (image.severity && image.severity !== "unknown")) && el("p", { class: "quiet small" }, [image.severity && image.severity !== "unknown" && `${image.severity}`, image.why && `chosen as ${image.why}`].filter(Boolean).join(" · ")),
  ].filter(Boolean);
}

// Licence and attribution of every film, those that share them together.
export async function licences(one) {
  const known = new Map();
  const ids = [...new Set(one.images.map((image) => image.image_id).filter(Boolean))];
  await Promise.all(ids.map(async (id) => { try { known.set(id, await call(`/v1/images/${encodeURIComponent(id)}`)); } catch { /* said as not stated */ } }));
  const groups = new Map();
  inOrder(one.images, one.sections).forEach((image, n) => {
    const from = image.image_id ? known.get(image.image_id) ?? {} : image;
    const told = JSON.stringify([from.licence || "Licence not stated", from.attribution || ""]);
    groups.set(told, [...(groups.get(told) ?? []), n + 1]);
  });
  return [...groups].map(([told, places]) => {
    const [licence, attribution] = JSON.parse(told);
    return el("li", {}, el("strong", {}, `Film${places.length > 1 ? "s" : ""} ${runs(places)}: `), licence, attribution && el("span", { class: "quiet" }, ` · ${attribution}`));
  });
}
