// A film as a tile, and the grid of them that the keyboard walks over.

import { el, words } from "./dom.js";

const age = (years) => (years === undefined || years === null ? "" : years < 2 ? `${Math.round(years * 12)} mo` : `${Math.floor(years)} y`);

export const title = (film) => [film.view || "view unknown", film.sex, age(film.age)].filter(Boolean).join(" · ");

function chips(labels) {
  const all = Object.entries(labels ?? {}).filter(([, state]) => state !== "absent");
  // "effusion left" says what "effusion" says, and more
  const stated = all.filter(([name, state]) => !all.some(([other, its]) => its === state && other.startsWith(`${name}_`)));
  stated.sort(([a, x], [b, y]) => (x === y ? a.localeCompare(b) : x === "present" ? -1 : 1));
  const shown = stated.slice(0, 4).map(([name, state]) =>
    el("span", { class: `chip ${state}`, title: state }, words(name) + (state === "uncertain" ? " ?" : "")));
  if (stated.length > 4) shown.push(el("span", { class: "chip uncertain", title: stated.slice(4).map(([n]) => words(n)).join(", ") }, `+${stated.length - 4}`));
  return shown;
}

function spoken(film, hit) {
  const findings = Object.entries(film.labels ?? {}).filter(([, state]) => state !== "absent").map(([name, state]) => `${words(name)} ${state}`);
  return [hit && `Number ${hit.rank}`, title(film), ...findings, hit?.kin].filter(Boolean).join(", ");
}

// hit: {rank, score, fused, agree, kin} or nothing when films are only listed.
export function card(film, hit) {
  const shot = el("span", { class: "shot" },
    el("img", { src: film.thumbnail, alt: "", loading: "lazy", decoding: "async" }),
    hit && el("span", { class: "badge rank" }, String(hit.rank)),
    hit && el("span", { class: "badge score", title: hit.fused ? "fused score of several models" : "cosine similarity" }, hit.score),
    hit?.kin && el("span", { class: "badge kin" }, hit.kin));
  const meta = el("span", { class: "meta" }, el("span", {}, title(film)), hit?.agree && el("span", { class: "agree", title: hit.agreeing }, hit.agree));
  return el("li", {}, el("a", { class: "card", href: `/images/${film.image_id}`, "data-id": film.image_id, "aria-label": spoken(film, hit) },
    shot, meta, el("span", { class: "marks" }, chips(film.labels))));
}

// What each hit says beside its film: score, how many models agree, and who belongs to whom.
export function hits(answer) {
  const several = answer.provenance.models.length > 1;
  const people = new Map();
  const person = (film) => film.patient_id && JSON.stringify([film.dataset, film.patient_id]);
  for (const { image } of answer.hits) if (person(image)) people.set(person(image), (people.get(person(image)) ?? 0) + 1);
  const letters = new Map([...people].filter(([, count]) => count > 1).map(([who], place) => [who, place]));
  return answer.hits.map((hit, index) => {
    const who = person(hit.image);
    const kin = hit.same_patient ? "same patient" : letters.has(who) ? `patient ${letter(letters.get(who))} · ${people.get(who)} films` : "";
    return card(hit.image, {
      rank: index + 1, kin, fused: several, score: several ? hit.score.toFixed(4) : hit.score.toFixed(3),
      agree: several ? `${hit.agreement.length}/${answer.provenance.models.length} models` : "",
      agreeing: hit.agreement.map((a) => `${a.model}: number ${a.rank}, ${a.score.toFixed(3)}`).join("\n"),
    });
  });
}

const letter = (place) => (place < 26 ? "" : letter(Math.floor(place / 26) - 1)) + String.fromCharCode(65 + (place % 26));

// Arrow keys move over the tiles of `grid` as they lie on the screen. True when the key was ours.
export function walk(grid, event) {
  const tiles = [...grid.querySelectorAll(".card")];
  if (!tiles.length) return false;
  const at = tiles.indexOf(document.activeElement);
  const across = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
  const row = across === -1 ? tiles.length : across;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: tiles.length - 1 - at }[event.key];
  if (step === undefined || (at === -1 && !event.key.startsWith("Arrow"))) return false;
  const to = at === -1 ? 0 : at + step;
  if (to < 0 || to >= tiles.length) return event.key !== "ArrowUp" && event.key !== "ArrowDown";
  tiles[to].focus();
  tiles[to].scrollIntoView({ block: "nearest" });
  return true;
}
