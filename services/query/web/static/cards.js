// A film as a tile.

import { el, words } from "./dom.js";
import { details } from "./told.js";

const MANY = 5; // so many times more often a neighbour than the mean film: its place says little

const age = (years) => (years === undefined || years === null ? "" : years < 2 ? `${Math.round(years * 12)} mo` : `${Math.floor(years)} y`);

export const title = (film) => [film.view || "view unknown", film.sex, age(film.age)].filter(Boolean).join(" · ");

// Nothing here is certain: 99.7 % is more than 99 %, not 100 %.
const percent = (share) => (share > 0.99 ? "> 99 %" : share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`);

// "72 % (61–81)": of labelled films with such a score, so many share the finding.
const chance = ({ probability, low, high }) => `${percent(probability)} (${Math.round(low * 100)}–${Math.round(high * 100)})`;

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
  return [hit?.rank && `Number ${hit.rank}`, title(film), ...findings, hit?.kin, hit?.why].filter(Boolean).join(", ");
}

const thumb = (way, sign, name) => el("button", { type: "button", tabindex: "-1", class: `thumb ${way}`, "data-way": way, "aria-pressed": "false", title: `${name} (${sign === "−" ? "-" : sign})`, "aria-label": name }, sign);

// hit: {rank, score, fused, kin, why, sure, agree, told} or nothing when films are only listed. marks: with thumbs?
export function card(film, hit, marks = false) {
  const copies = hit?.told?.copies?.length ?? 0;
  const hub = hit?.told?.hub ?? 0;
  const shot = el("span", { class: "shot" },
    el("img", { src: film.thumbnail, alt: "", loading: "lazy", decoding: "async" }),
    hit?.rank && el("span", { class: "badge rank" }, String(hit.rank)));
  const flags = [hit?.agree, copies && (copies === 1 ? "1 copy" : `${copies} copies`), hub >= MANY && `hub ×${Math.round(hub)}`].filter(Boolean);
  const meta = el("span", { class: "meta" }, el("span", {}, title(film)),
    // Beside the film, not on it: effusions lie low.
    el("span", { class: "flags" }, hit?.kin && el("span", { class: "kin" }, hit.kin), flags.map((flag) => el("span", { class: `flag${flag.startsWith("hub") ? " hub" : ""}`, title: details(hit) }, flag))));
  const link = el("a", { class: "card", href: `/images/${film.image_id}`, "data-id": film.image_id, "aria-label": spoken(film, hit) },
    shot, meta,
    hit?.sure && el("span", { class: "sure" }, hit.sure),
    hit?.why && el("span", { class: "why" }, hit.why),
    el("span", { class: "marks" }, chips(film.labels)));
  const score = hit?.told && el("button", { type: "button", tabindex: "-1", class: "badge score", title: details(hit), "aria-label": `${hit.score}: details of number ${hit.rank}` }, hit.score);
  const over = hit && el("div", { class: "over" }, score,
    marks && el("span", { class: "thumbs" }, thumb("like", "+", "More like this"), thumb("unlike", "−", "Less like this")));
  return el("li", { class: "tile" }, link, over);
}

// What hits say beside their films. Pages of one answer go on counting, and people keep their letters.
export class Hits {
  // marks: with thumbs?  why: does what the mode says of a film stand on its tile, or in its details alone?
  constructor({ marks = false, why = false } = {}) { Object.assign(this, { marks, why, people: new Map(), letters: new Map(), rank: 0 }); }

  of(answer) {
    const asked = answer.models_asked || answer.provenance.models.length;
    const person = ({ image }) => image.patient_id && JSON.stringify([image.dataset, image.patient_id]);
    for (const hit of answer.hits) if (person(hit)) this.people.set(person(hit), (this.people.get(person(hit)) ?? 0) + 1);
    for (const [who, films] of this.people) if (films > 1 && !this.letters.has(who)) this.letters.set(who, letter(this.letters.size));
    return answer.hits.map((hit) => {
      this.rank += 1;
      const who = person(hit);
      const kin = hit.same_patient ? "same patient" : this.letters.has(who) && !hit.group ? `patient ${this.letters.get(who)}` : "";
      // A fused score says nothing by itself: how many models found the film says more.
      const agree = asked > 1 ? `${hit.agreement.length} of ${asked}` : "";
      return card(hit.image, {
        rank: this.rank, kin, fused: asked > 1, why: this.why && hit.why, told: hit,
        sure: hit.calibrated && `${chance(hit.calibrated)} share ${hit.calibrated.finding ? words(hit.calibrated.finding) : "a finding"}`,
        score: hit.calibrated ? percent(hit.calibrated.probability) : agree || hit.score.toFixed(3), agree: hit.calibrated && agree,
      }, this.marks);
    });
  }
}

const letter = (place) => (place < 26 ? "" : letter(Math.floor(place / 26) - 1)) + String.fromCharCode(65 + (place % 26));
