// Analyses: those there are, live while they run, and a form that starts one.

import { byId, el, show, typing, words } from "./dom.js";
import { call } from "./api.js";
import { FINAL, follow } from "./follow.js";
import { form, nameOf } from "./ask-run.js";

const SHOWN = 30;
const PAUSE = 3000; // between two looks at the list while something is under way
const under = new Map(); // run → where its progress stands, kept over redrawing the list
let due;

const told = (message) => { byId("alert").textContent = message; show(byId("alert"), Boolean(message)); };
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function opened(run, why) {
  if (run.state === "succeeded") {
    const linked = run.kind === "compare" ? `/v1/runs/${encodeURIComponent(run.run_id)}/linked` : "";
    const ways = [[linked, "linked maps"], [run.atlas, "atlas"], [run.report, "report"]].filter(([href]) => href);
    return ways.flatMap(([href, name], n) => [n ? " · " : "", el("a", { href }, name)]);
  }
  return FINAL.includes(run.state) ? el("small", { class: "quiet" }, why ? sentence(why) : "") : progress(run);
}

function progress(run) {
  if (!under.has(run.run_id)) {
    const place = el("span", { class: "building" });
    under.set(run.run_id, place);
    const ended = () => { under.delete(run.run_id); list(); };
    follow({ job_id: run.run_id }, place).then(ended, (error) => { place.textContent = error.message; setTimeout(ended, PAUSE); });
  }
  return under.get(run.run_id);
}

function row(run, why) {
  const { kind = run.kind || "map", asked = {} } = run.manifest ?? {};
  return el("tr", {},
    el("td", {}, el("time", { datetime: run.created_at }, run.created_at.slice(0, 16).replace("T", " "))),
    el("td", { title: words(kind) }, nameOf(kind)), el("td", {}, el("span", { class: `state-${run.state}` }, run.state)),
    el("td", {}, opened(run, why)), el("td", {}, (asked.models ?? []).join(", ")),
    el("td", {}, asked.filter ? el("code", {}, asked.filter) : "all"));
}

async function list() {
  clearTimeout(due);
  try {
    const [{ runs = [] }, { jobs = [] }] = await Promise.all([call(`/v1/runs?page_size=${SHOWN}`), call(`/v1/jobs?page_size=${4 * SHOWN}`)]);
    if (!runs.length && !byId("new").hidden) byId("new").open = true;
    const why = new Map(jobs.map((job) => [job.job_id, job.error?.message]));
    byId("runs").replaceChildren(...(runs.length ? runs.map((run) => row(run, why.get(run.run_id)))
      : [el("tr", {}, el("td", { colspan: 6, class: "quiet" }, byId("new").hidden ? "No analyses yet, and no films: store some with “hilum ingest FOLDER --dataset NAME”." : "No analyses yet. A map is a good beginning."))]));
    told("");
  } catch (error) { told(error.message); }
  if (under.size) due = setTimeout(list, PAUSE);
}

form(async (request) => {
  await call("/v1/analytics/jobs", request);
  await list();
  byId("new").open = false;
  byId("runs").scrollIntoView({ block: "nearest" });
});
addEventListener("keydown", (event) => {
  if (event.key !== "n" || typing(event) || byId("new").hidden) return;
  event.preventDefault();
  byId("new").open = true;
  byId("kinds").querySelector(":checked").focus();
});
list();
