// One reader study: its readers and their links, and what came out.

import { byId, el, show } from "./dom.js";
import { call } from "./api.js";
import { forest, told } from "./forest.js";
import { TASKS } from "./studies.js";

const base = `/v1/studies/${encodeURIComponent(location.pathname.split("/").pop())}`;
let study = null;

function failed(error) { byId("alert").textContent = error.message; show(byId("alert"), true); }

// Runs what a click asks for; what goes wrong is said.
const act = (work) => async (event) => {
  event?.preventDefault();
  show(byId("alert"), false);
  try { await work(event); } catch (error) { failed(error); }
};

async function load() {
  study = await call(base);
  const { design } = study;
  document.title = `${study.title} · Hilum`;
  byId("title").textContent = study.title || "(untitled)";
  byId("about").textContent = [
    `${TASKS[design.kind]}: ${study.sets} sets of ${design.nearest} nearest and ${design.others} ${design.against} films by ${design.model} ${study.fingerprint.slice(0, 8)}`,
    design.filter && `among ${design.filter}`, design.repeats && `${design.repeats} come twice`, `seed ${design.seed}`, study.withdrawn && `${study.withdrawn} left out: a film was withdrawn`,
  ].filter(Boolean).join(" · ");
  byId("close").textContent = study.state === "open" ? "Close the study" : "Open it again";
  show(byId("invite"), study.state === "open");
  byId("readers").replaceChildren(...(study.readers.length ? study.readers.map((one) => el("tr", {},
    el("td", {}, one.name), el("td", {}, el("progress", { value: one.answered, max: study.sets || 1, "aria-label": "answered" }), ` ${one.answered} of ${study.sets}`),
    el("td", {}, study.state === "open" && el("button", { type: "button", class: "link", onclick: act(() => invite(one.name, true)) }, "new link")))) : [el("tr", {}, el("td", { colspan: "3", class: "quiet" }, "Nobody was invited yet."))]));
}

async function invite(name, renew = false) {
  const made = await call(`${base}:invite`, { name, renew });
  byId("link-of").textContent = made.reader.name;
  byId("link-text").value = location.origin + made.path;
  show(byId("link"), true);
  await load();
}

const table = (columns, rows) => el("div", { class: "wide" }, el("table", {},
  el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));

async function results() {
  const found = await call(`${base}/results`);
  const parts = [el("div", { class: "said" }, found.said.map((line) => el("p", {}, line)))];
  if (found.sets) {
    const graded = study.design.kind === "grades";
    parts.push(el("div", { class: "wide" }, forest([
      ["consensus with the model", found.consensus], ...found.each.map((one) => [`${one.name} with the model`, one.model]),
      ["readers with each other", found.between], ...found.groups.filter((one) => one.stratum).map((one) => [one.name, one.consensus]),
    ].filter(([, figure]) => figure?.value !== undefined), found.chance, "share of the films chosen by both, with 95 % intervals; dashed: by chance")));
    parts.push(el("h3", {}, "Each reader"), table(["Reader", "Sets", "With the model", "Cohen’s kappa", "With the other readers", "With themselves", ...(graded ? [`nDCG@${study.design.nearest}`] : []), "Seconds a set"],
      found.each.map((one) => [one.name, one.sets, told(one.model), told(one.model_kappa), told(one.others), one.repeats ? `${told(one.itself)} (${one.repeats} sets)` : "–", ...(graded ? [told(one.ndcg)] : []), one.seconds.toFixed(0)])));
    if (found.pairs.length) parts.push(el("h3", {}, "Readers two by two"), table(["", "", "Sets", "Agreement", graded ? "Kappa, quadratic weights" : "Cohen’s kappa"], found.pairs.map((one) => [one.one, one.other, one.sets, told(one.agreement), told(one.kappa)])));
    if (found.depths.length) parts.push(el("h3", {}, "The model’s order, by the readers’ grades"), table(["k", "nDCG@k", "by chance"], found.depths.map((one) => [one.k, told(one.ndcg), one.chance.toFixed(2)])));
    if (found.groups.length) parts.push(el("h3", {}, "By stratum, and by finding of the film asked with"), table(["", "Sets", "Consensus with model", "Readers with model", "Fleiss’ kappa"], found.groups.map((one) => [one.stratum ? one.name : one.name.replaceAll("_", " "), one.sets, told(one.consensus), told(one.readers), told(one.fleiss)])));
  }
  parts.push(el("h3", {}, "To keep in mind"), el("ul", { class: "caveats" }, found.caveats.map((line) => el("li", {}, line))));
  byId("results").replaceChildren(...parts);
}

async function save(format) {
  const file = await call(`${base}/export?format=${format}`);
  const bytes = Uint8Array.from(atob(file.data), (letter) => letter.charCodeAt(0));
  const link = el("a", { href: URL.createObjectURL(new Blob([bytes], { type: file.content_type })), download: file.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

byId("invite").addEventListener("submit", act(async () => { await invite(byId("name").value); byId("name").value = ""; }));
byId("copy").addEventListener("click", act(async () => { byId("link-text").select(); await navigator.clipboard?.writeText(byId("link-text").value); byId("copy").textContent = "Copied"; }));
byId("close").addEventListener("click", act(async () => { await call(`${base}:close`, { open: study.state !== "open" }); await load(); await results(); }));
byId("marks").addEventListener("click", act(async () => { const { search_ids: made } = await call(`${base}:keepGrades`, {}); byId("said").textContent = `${made.length} saved searches are marked`; }));
for (const button of document.querySelectorAll(".export")) button.addEventListener("click", act(() => save(button.dataset.format)));
byId("delete").addEventListener("click", act(async () => {
  if (byId("delete").dataset.sure) { await call(base, undefined, undefined, "DELETE"); location.assign("/studies"); return; }
  byId("delete").dataset.sure = "1";
  byId("delete").textContent = "delete with all answers: click again";
}));
await act(async () => { await load(); await results(); })();
