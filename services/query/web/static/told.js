// Everything that is known of why a hit stands where it stands: as a hint at the mouse, and opened by a click or a tap.

import { byId, el, words } from "./dom.js";

const films = (count) => `${count} ${count === 1 ? "copy" : "copies"}`;

function rows({ fused, told }) {
  const { agreement, calibrated, copies, hub, same_patient: same, score, why } = told;
  return [
    ...agreement.map((one) => [one.model, `number ${one.rank}, cosine ${one.score.toFixed(3)}`]),
    ...(fused ? [["fused score", score.toFixed(4)]] : []),
    ...(calibrated ? [["it means", `${Math.round(calibrated.probability * 100)} % of labelled films of other patients with such a score by ${calibrated.model} share ${calibrated.finding ? words(calibrated.finding) : "a finding"} (95 % interval ${Math.round(calibrated.low * 100)}–${Math.round(calibrated.high * 100)})`]] : []),
    ...(why ? [["chosen, for it", why]] : []),
    ...(hub ? [["hub", `a neighbour ${hub.toFixed(1)} times as often as the mean film${hub >= 5 ? ": it is near everything, so its place says little" : ""}`]] : []),
    ...(same ? [["patient", "the same as of the film asked with: a likeness of the person, not of a disease"]] : []),
    ...(copies.length ? [["the same film again", films(copies.length)]] : []),
  ];
}

export const details = (hit) => rows(hit).map(([name, value]) => `${name}: ${value}`).join("\n");

// One box for the page, beside the badge that opened it; Escape and a click elsewhere close it.
export function open(badge, hit) {
  const box = byId("told");
  box.replaceChildren(
    el("dl", {}, rows(hit).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    ...(hit.told.copies.length ? [el("p", {}, hit.told.copies.map((id, place) => [place ? ", " : "", el("a", { href: `/images/${id}` }, `copy ${place + 1}`)]))] : []),
    el("p", { class: "quiet mono small" }, hit.told.image_id));
  box.showPopover();
  const at = badge.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  box.style.setProperty("left", `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`);
  box.style.setProperty("top", `${at.bottom + height + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`);
}
