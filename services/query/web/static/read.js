// The reader's page: one set after the other, answers kept as they are given, taken up again where they were left.

import { byId, el, show } from "./dom.js";
import { call } from "./api.js";
import { Clock } from "./read-clock.js";
import { Large } from "./read-large.js";
import { Outbox } from "./read-outbox.js";
import { Set_ } from "./read-set.js";
import { Window } from "./read-view.js";

const base = `/v1/reading/${location.pathname.split("/").pop()}`;
const KEYS = {
  choose: "Keys: 1 to 9 and 0 choose, Enter goes on, Backspace goes back, arrows move, L shows a film large, I inverts, R resets.",
  pairs: "Keys: 1 and 2 choose, Enter goes on, Backspace goes back, L shows a film large, I inverts, R resets.",
  grades: "Keys: arrows move over films, 0 to 3 grade, Enter goes on, Backspace goes back, L shows a film large, I inverts, R resets.",
};
let reading = null;
let set = null;
let at = 0; // in `sets`

const look = new Window((said) => { byId("wl").textContent = said; });
const clock = new Clock();
const large = new Large(look);
const outbox = new Outbox(base, ({ waiting, refused }) => {
  byId("kept").textContent = refused || (waiting ? `Not sent yet: ${waiting === 1 ? "1 answer is" : `${waiting} answers are`} kept on this device` : "Saved");
  byId("kept").classList.toggle("error", Boolean(refused));
});

const sets = () => reading.sets.filter((one) => !one.withdrawn);
const answered = () => sets().filter((one) => one.answered).length;

function only(section) {
  for (const id of ["start", "set", "end"]) show(byId(id), id === section);
  show(byId("under"), section === "set");
  byId("bar").max = sets().length || 1;
  byId("bar").value = answered();
  byId("done").textContent = `${answered()} answered`;
  if (section !== "set") { clock.stop(); set = null; byId("at").textContent = "Reading"; }
}

function open(place) {
  at = place;
  const shown = sets()[at];
  only("set");
  byId("at").textContent = `Set ${at + 1} of ${sets().length}`;
  byId("ask").textContent = reading.instructions;
  clock.begin(shown.seconds);
  set = new Set_({ base: `${base}/sets/${shown.number}`, set: shown, kind: reading.kind, choose: reading.choose, look, large: (film) => large.open(set, film), changed: told, ready: () => { clock.run(); told(); }, missed: (film) => { if (!film) still(shown); } });
  set.arrange();
  byId("back").disabled = at === 0;
  told();
  if (document.activeElement === document.body) byId("main").focus?.();
  const after = sets()[at + 1];
  if (after) for (let film = 0; film <= after.films; film += 1) new Image().src = `${base}/sets/${after.number}/pictures/${film}`;
}

// Is the set shown still, whose pictures do not come? A film may have been withdrawn meanwhile.
async function still(shown) {
  try {
    const now = await call(base);
    shown.withdrawn = now.sets.find((one) => one.number === shown.number).withdrawn;
    if (shown.withdrawn && set?.set === shown) onward(sets().findIndex((one) => !one.answered));
  } catch { /* the server is away: it is asked again */ }
}

function onward(to) { if (to === -1) end(); else open(to); }

function told(words = "") {
  const what = reading.kind === "grades" ? "graded" : "chosen";
  byId("count").textContent = words || `${set.done} of ${set.wanted} ${what}`;
  byId("next").disabled = set.done !== set.wanted || set.left > 0 || !reading.open;
  large.set === set && large.box.open && large.press();
}

function next() {
  if (byId("next").disabled) return;
  clock.turn();
  if (!set.same) {
    const answer = { ...set.answer, seconds: Math.round(clock.read() * 1000) / 1000 };
    Object.assign(sets()[at], { chosen: [], grades: [], ...set.answer, seconds: answer.seconds, answered: true });
    outbox.put(sets()[at].number, answer);
  }
  const open_ = sets().findIndex((one, n) => n > at && !one.answered);
  const first = sets().findIndex((one) => !one.answered);
  onward(at + 1 < sets().length && (open_ !== -1 || first === -1) ? at + 1 : first);
}

function end() {
  only("end");
  const left = sets().length - answered();
  byId("end-title").textContent = reading.open ? "Thank you" : "The study is closed";
  byId("end-said").textContent = !reading.open ? "It takes no answers any more. Thank you for reading."
    : `All ${sets().length} sets are answered${left ? ` but ${left}` : ""}. You may close this page, or go back to a set and change your answer until the study is closed.`;
  byId("all").replaceChildren(...(reading.open ? sets().map((one, n) => el("li", {}, el("button", { type: "button", class: "button", "aria-label": `Set ${n + 1}`, onclick: () => open(n) }, n + 1))) : []));
}

addEventListener("keydown", (event) => {
  if (!set || byId("large").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const onFilm = document.activeElement?.closest?.("#films");
  const steps = { arrowleft: -1, arrowright: 1, arrowup: -set.columns, arrowdown: set.columns };
  if (/^[0-9]$/.test(key)) {
    const number = Number(key);
    if (set.graded) { const film = set.current; if (number <= 3) { set.grade(film, number); set.focus(film + 1); } }
    else if ((number || 10) <= set.tiles.length) { set.turn(number || 10); set.focus(number || 10); }
  } else if (key === "enter" && (onFilm?.contains(document.activeElement) ? !document.activeElement.matches(".look") : !document.activeElement.matches("button"))) next();
  else if (key === "backspace") { if (at) open(at - 1); }
  else if (key in steps) set.focus(set.current ? set.current + steps[key] : 1);
  else if (key === "l") large.open(set, set.current || 1);
  else if (key === "i") look.invert();
  else if (key === "r") { look.reset(); set.reset(); }
  else return;
  event.preventDefault();
});
byId("next").addEventListener("click", next);
byId("back").addEventListener("click", () => { if (at) open(at - 1); });
byId("invert").addEventListener("click", () => look.invert());
byId("reset").addEventListener("click", () => { look.reset(); set?.reset(); });
new ResizeObserver(() => set?.arrange()).observe(byId("films"));
byId("begin").addEventListener("click", () => open(Math.max(0, sets().findIndex((one) => !one.answered))));

try {
  reading = await call(base);
  for (const one of reading.sets) if (outbox.waiting[one.number]) Object.assign(one, { chosen: [], grades: [], ...outbox.waiting[one.number], answered: true });
  if (outbox.count) outbox.send();
  if (!reading.open || (sets().length && answered() === sets().length)) end();
  else {
    only("start");
    byId("hello").textContent = `Welcome${answered() ? " back" : ""}, ${reading.name}`;
    byId("instructions").textContent = reading.instructions;
    byId("how").textContent = answered() ? `You have answered ${answered()} of ${sets().length} sets.` : `There are ${sets().length} sets.`;
    byId("keys").textContent = KEYS[reading.kind];
    byId("begin").textContent = answered() ? `Go on with set ${sets().findIndex((one) => !one.answered) + 1} of ${sets().length}` : "Begin";
    byId("begin").focus();
  }
} catch (error) {
  byId("trouble").textContent = error.message;
  show(byId("trouble"), true);
}
