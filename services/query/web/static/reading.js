// How the words were understood, so that a misreading is seen, and a switch to take them as typed.

import { byId, el, show, words } from "./dom.js";

function phrase({ finding, words: given, polarity, side, severity }) {
  const what = [severity, side, finding ? words(finding) : `“${given}”`].filter(Boolean).join(" ");
  if (!finding) return [el("span", { class: "plain" }, what)];
  const named = words(finding).split(" ").some((word) => given.toLowerCase().includes(word));
  const said = named ? "" : ` (“${given}”)`; // "COVID" is read as pneumonia
  return [el("span", { class: `read ${polarity}` }, what), `${said} — `, el("b", { class: polarity }, polarity)];
}

// plain: were words taken as typed?  switched: ask the other way.
export function reading(state, understood, switched) {
  const place = byId("reading");
  const told = understood.filter(({ finding }) => finding);
  show(place, Boolean(state.q.trim()) && (state.plain || told.length > 0));
  if (place.hidden) return;
  const turn = el("button", { type: "button", class: "link", "aria-pressed": String(state.plain), onclick: switched }, state.plain ? "understand them" : "as typed");
  place.replaceChildren(...(state.plain ? ["Words taken as typed. "] : ["Read as ", ...understood.flatMap((one) => [el("span", { class: "mention" }, phrase(one)), " "])]), turn);
}
