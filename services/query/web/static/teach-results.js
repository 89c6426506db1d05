// How unknowns were answered: per reader, per file, and each answer.

import { byId, el, show } from "./dom.js";
import { call } from "./api.js";

const file = new URLSearchParams(location.search).get("file") ?? "";
const time = (seconds) => (!seconds ? "–" : seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
const share = ({ judged, correct }) => (judged ? `${correct} of ${judged} (${Math.round((100 * correct) / judged)} %)` : "–");
const none = (columns) => el("tr", {}, el("td", { colspan: String(columns), class: "quiet" }, "No answer yet."));
const fill = (id, rows, columns) => byId(id).replaceChildren(...(rows.length ? rows : [none(columns)]));
const link = (id, title) => el("a", { href: `/teaching/${encodeURIComponent(id)}` }, title);
const score = (name, one) => el("tr", {}, el("td", {}, name), el("td", {}, one.tries), el("td", {}, share(one)), el("td", {}, one.tries - one.judged), el("td", {}, time(one.median_seconds)));
const HOW = { choice: "by the choice", match: "by the words", self: "by the reader" };
const judged = (one) => (one.correct === undefined || one.correct === null ? "not judged" : `${one.correct ? "right" : "not right"}, ${HOW[one.judged]}`);

try {
  const { files, readers, tries } = await call(`/v1/quizTries${file ? `?${new URLSearchParams({ file_id: file })}` : ""}`);
  const titles = new Map(files.map((one) => [one.file_id, one.title]));
  if (file && titles.has(file)) byId("about").replaceChildren("Answers to ", link(file, titles.get(file)), ". ", el("a", { href: "/teaching/results" }, "All files"));
  fill("readers", readers.map((one) => score(one.reader, one)), 5);
  fill("files", files.map((one) => score(link(one.file_id, one.title), one)), 5);
  fill("tries", tries.map((one) => el("tr", {}, el("td", {}, one.created_at.slice(0, 16).replace("T", " ")), el("td", {}, one.reader), el("td", {}, link(one.file_id, titles.get(one.file_id) ?? "file")), el("td", {}, one.text || one.choice), el("td", {}, judged(one)), el("td", {}, time(one.seconds)))), 6);
} catch (error) { byId("alert").textContent = error.message; show(byId("alert"), true); }
