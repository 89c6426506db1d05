// A case as an unknown. Of the file this page asks the quiz alone, until it was answered: nothing here tells before.

import { byId, el, plural, show, typing } from "./dom.js";
import { call } from "./api.js";
import { Clock } from "./read-clock.js";
import { Films, pictureOf } from "./teach-films.js";
import { licences, underFilm, written } from "./teach-case.js";
import { prose } from "./teach-prose.js";

const ID = decodeURIComponent(location.pathname.split("/")[2]);
const HERE = `/v1/teachingFiles/${encodeURIComponent(ID)}`;
const KEPT = "hilum.quiz.reader";
const GAVE_UP = "I do not know";

const clock = new Clock();
const films = new Films(byId("films"), { turned: (image) => byId("under-film").replaceChildren(...(revealed ? underFilm(image) : image.view ? [el("p", { class: "quiet small" }, `${image.view} film`)] : [])) });
let quiz = null;
let revealed = false;

const tell = (message) => { byId("alert").textContent = message; show(byId("alert"), Boolean(message)); };
const reader = () => byId("reader").value.trim();

try { byId("reader").value = localStorage.getItem(KEPT) ?? ""; } catch { /* a browser that keeps nothing */ }
byId("reader").addEventListener("change", () => { try { localStorage.setItem(KEPT, reader()); } catch { /* kept in this page */ } });

const ask = (choices) => call(`${HERE}/quiz?${new URLSearchParams({ ...(choices && { choices: "true" }), ...(reader() && { reader: reader() }) })}`);

async function begin() {
  quiz = await ask(false);
  byId("title").textContent = quiz.title;
  byId("about").textContent = [quiz.hidden_films && `${plural(quiz.hidden_films, "film")} of it you may not see`, quiz.tries && `you tried it ${quiz.tries === 1 ? "once" : `${quiz.tries} times`} before`].filter(Boolean).join(" · ");
  byId("history").replaceChildren(...(quiz.history ? [el("h2", {}, "History"), ...prose(quiz.history)] : [el("p", { class: "quiet" }, "No history is given.")]));
  show(byId("answer"), true);
  await films.fill(quiz.images.map((one) => ({ ...one, section: "" })), [], pictureOf(ID, quiz.version));
  clock.run();
}

async function offer() {
  try {
    const { choices } = await ask(true);
    byId("choices").replaceChildren(byId("choices").firstElementChild, ...choices.map((name) => el("label", { class: "choice-of" }, el("input", { type: "radio", name: "choice", value: name }), el("span", {}, name))));
    show(byId("choices"), true);
    show(byId("offer"), false);
    show(byId("words-of"), false);
    byId("words-of").value = "";
    byId("choices").querySelector("input").focus();
  } catch (error) { byId("quiz-said").textContent = error.message; }
}

async function answer(text, choice) {
  byId("quiz-said").textContent = "";
  if (!text && !choice) { byId("quiz-said").textContent = "Say what you think it is, or choose."; return; }
  clock.stop();
  byId("answer").querySelector("button[type=submit]").disabled = true;
  try {
    const { quiz_try: one, answer: file } = await call(`${HERE}/quiz:answer`, { version: quiz.version, text, choice, seconds: clock.read(), reader: reader() });
    await reveal(text === GAVE_UP ? await call(`/v1/quizTries/${encodeURIComponent(one.try_id)}:judge`, { correct: false }) : one, file);
  } catch (error) {
    byId("quiz-said").textContent = error.message;
    byId("answer").querySelector("button[type=submit]").disabled = false;
    clock.run();
  }
}

async function reveal(one, file) {
  revealed = true;
  show(byId("answer"), false);
  byId("reader").disabled = true;
  document.title = `${file.document.title} · Hilum`;
  byId("title").textContent = file.document.title;
  verdict(one, file);
  byId("revealed").replaceChildren(...written(file.document, false), el("h2", {}, "Licences of the films"), el("ul", { class: "plain small" }, await licences(file.document)),
    el("p", {}, el("a", { class: "quiet small", href: `/teaching/${encodeURIComponent(ID)}` }, "open the file")));
  if (quiz.next_file_id) { byId("next").href = `/teaching/${encodeURIComponent(quiz.next_file_id)}/quiz`; show(byId("next"), true); }
  await films.fill(file.document.images, file.document.sections, pictureOf(ID, file.version), films.shown?.key);
}

function verdict(one, file) {
  const place = byId("judged");
  const said = one.text || one.choice, known = one.correct !== undefined && one.correct !== null;
  const judge = (correct) => el("button", { type: "button", class: "button small-button", onclick: async () => {
    try { verdict(await call(`/v1/quizTries/${encodeURIComponent(one.try_id)}:judge`, { correct }), file); } catch (error) { tell(error.message); }
  } }, correct ? "I was right" : "I was not");
  place.className = `judged ${known ? (one.correct ? "right" : "wrong") : "open"}`;
  place.replaceChildren(...[
    el("p", {}, el("strong", {}, known ? (one.correct ? "Right." : "Not right.") : "Compare."), ` You said: ${said}`, one.seconds ? el("span", { class: "quiet" }, ` · ${Math.round(one.seconds)} s`) : ""),
    el("p", {}, "It is: ", el("strong", {}, file.document.diagnosis || "the file states no diagnosis")),
    one.judged !== "choice" && one.judged !== "match" && said !== GAVE_UP && el("p", { class: "row" }, el("span", { class: "quiet small" }, "Judge yourself:"), judge(true), judge(false)),
  ].filter(Boolean));
  show(place, true);
  place.focus({ preventScroll: true });
}

byId("answer").addEventListener("submit", (event) => { event.preventDefault(); answer(byId("words-of").value.trim(), byId("choices").querySelector("input:checked")?.value ?? ""); });
byId("offer").addEventListener("click", offer);
byId("give-up").addEventListener("click", () => answer(GAVE_UP, ""));
addEventListener("keydown", (event) => {
  if (films.key(event) || typing(event)) return;
  if (event.key.toLowerCase() === "n" && !byId("next").hidden) location.assign(byId("next").href);
});

try { await begin(); } catch (error) { tell(error.message); }
