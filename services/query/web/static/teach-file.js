// One teaching file: as readers see it, its way to them, its versions, what leaves of it; and the editor.

import { byId, el, plural, show, typing } from "./dom.js";
import { call } from "./api.js";
import { Films, pictureOf } from "./teach-films.js";
import { licences, underFilm, written } from "./teach-case.js";
import { Editor } from "./teach-edit.js";
import * as panels from "./teach-panels.js";

const ID = decodeURIComponent(location.pathname.split("/")[2]);
const HERE = `/v1/teachingFiles/${encodeURIComponent(ID)}`;
const looked = Number(new URLSearchParams(location.search).get("version")) || 0;
const STEPS = { draft: [["review", "Send to review"]], review: [["publish", "Publish"], ["withdraw", "Back to draft"]], published: [["withdraw", "Withdraw"]] };

const films = new Films(byId("films"), { turned: (image) => { if (editor?.on) editor.turned(image); else byId("under-film").replaceChildren(...underFilm(image)); } });
let file = null;
let editor = null;

const tell = (message) => { byId("alert").textContent = message; show(byId("alert"), Boolean(message)); if (message) byId("alert").scrollIntoView({ block: "nearest" }); };
const say = (message) => { byId("said").textContent = message; };
const may = (right) => file.may.includes(right);
const old = () => file.version !== file.latest;

function head() {
  const { document: one } = file;
  document.title = `${one.title} · Hilum`;
  byId("title").textContent = one.title;
  const said = [file.version === file.latest ? `version ${file.version}` : `version ${file.version} of ${file.latest}`, may("update") && file.published && file.published !== file.version ? `readers see version ${file.published}` : "", `by ${file.owner}`, file.updated_at.slice(0, 10)];
  byId("state").replaceChildren(el("span", { class: `chip state-of ${file.state}` }, file.state), ` ${said.filter(Boolean).join(" · ")}`);
  const notes = [file.hidden_films && `${plural(file.hidden_films, "film")} of it ${file.hidden_films === 1 ? "is" : "are"} outside what you may see.`, ...(file.remarks ?? []).map((remark) => `${remark.charAt(0).toUpperCase()}${remark.slice(1)}.`)].filter(Boolean);
  if (old()) notes.unshift(`You are looking at version ${file.version}, which is not the latest.`);
  byId("banner").replaceChildren(...notes.map((note) => el("span", {}, note)));
  show(byId("banner"), notes.length > 0);
}

function acts() {
  const button = (name, act, key, main) => el("button", { type: "button", class: `button${main ? " primary" : ""}`, onclick: act }, name, key && el("kbd", { class: "key" }, key));
  const made = [];
  if (old()) made.push(el("a", { class: "button", href: location.pathname }, "The latest"), may("update") && button("Restore this version", () => restore(file.version)));
  else if (may("update")) {
    made.push(button("Edit", () => edit(), "E", file.state === "draft"));
    const shown = file.state === "draft" && file.published ? [["withdraw", `Withdraw version ${file.published}`]] : [];
    for (const [verb, name] of [...STEPS[file.state], ...shown]) made.push(button(name, () => move(verb), "", verb === "publish"));
  }
  made.push(el("a", { class: "button", id: "quiz", href: `/teaching/${encodeURIComponent(ID)}/quiz` }, "Quiz", el("kbd", { class: "key" }, "Q")));
  byId("acts").replaceChildren(...made.filter(Boolean));
}

async function draw(key = films.shown?.key) {
  head();
  acts();
  byId("words").replaceChildren(...written(file.document));
  films.fill(file.document.images, file.document.sections, pictureOf(ID, file.version), key);
  show(byId("panels"), true);
  byId("results").href = `/teaching/results?file=${encodeURIComponent(ID)}`;
  panels.exports(file, HERE);
  panels.access(file, HERE, take, tell);
  panels.events(file);
  if (may("update")) panels.versions(file, HERE, restore);
  const said = await licences(file.document);
  byId("licence-list").replaceChildren(...said);
  show(byId("licences"), said.length > 0);
}

function take(changed) { file = changed; return draw(); }

async function move(verb) {
  tell("");
  try { await take(await call(`${HERE}:${verb}`, { version: file.version })); say({ review: "It waits for review.", publish: "Published: those who may read it see this version.", withdraw: "A draft again: only its editors see it." }[verb]); } catch (error) { tell(error.message); }
}

async function restore(version) {
  tell("");
  try {
    const made = await call(`${HERE}:restore`, { version, made_from: file.latest });
    if (old()) { location.assign(location.pathname); return; }
    await take(made);
    say(`Version ${version} is the file again, as version ${made.version}.`);
  } catch (error) { tell(error.message); }
}

function edit() {
  if (!may("update") || old()) return;
  tell("");
  editor = new Editor(file, HERE, films, { saved: (made) => { file = made; head(); }, done: () => { history.replaceState(null, "", location.pathname); for (const id of ["words", "licences", "panels", "acts"]) show(byId(id), true); draw(); byId("acts").querySelector("button")?.focus(); }, say, tell });
  history.replaceState(null, "", "#edit");
  for (const id of ["words", "licences", "panels", "acts"]) show(byId(id), false);
  editor.begin();
}

addEventListener("keydown", (event) => {
  if (editor?.on) { if (!editor.key(event)) films.key(event); return; }
  if (films.key(event) || typing(event)) return;
  const key = event.key.toLowerCase();
  if (key === "e" && file) { event.preventDefault(); edit(); }
  else if (key === "q") location.assign(`/teaching/${encodeURIComponent(ID)}/quiz`);
  else if (key === "escape") location.assign("/teaching");
});

addEventListener("hashchange", () => { if (location.hash === "#edit" && file && !editor?.on) edit(); });

try {
  file = await call(looked ? `${HERE}?version=${looked}` : HERE);
  await draw();
  if (location.hash === "#edit") edit();
} catch (error) { tell(error.message); show(byId("title"), false); }
