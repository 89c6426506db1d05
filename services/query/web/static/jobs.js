// The list of jobs, live while somebody looks at it.

import { byId, el } from "./dom.js";
import { call } from "./api.js";

const FINAL = ["succeeded", "failed", "cancelled"];
const seen = new Map();

function left(progress) {
  const seconds = progress.eta_seconds;
  if (seconds === undefined || seconds === null) return "";
  return seconds < 90 ? ` · ${Math.ceil(seconds)} s left` : ` · ${Math.round(seconds / 60)} min left`;
}

function row(job) {
  const { stage = "", done = 0, total = 0, counts = {} } = job.progress ?? {};
  const running = !FINAL.includes(job.state);
  return el("tr", {},
    el("td", {}, el("time", { datetime: job.created_at }, job.created_at.slice(0, 16).replace("T", " "))),
    el("td", {}, job.kind),
    el("td", {}, el("span", { class: `state-${job.state}` }, job.state)),
    el("td", {}, running && total ? el("progress", { value: done, max: total, "aria-label": "progress" }) : "", ` ${stage} ${done} / ${total}${running ? left(job.progress) : ""}`),
    el("td", {}, Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(" · "), job.error?.message ? el("span", { class: "error" }, ` ${job.error.message}`) : ""));
}

async function refresh() {
  let pause = 5000;
  try {
    const { jobs } = await call("/v1/jobs?page_size=30");
    if (jobs.length) byId("jobs").replaceChildren(...jobs.map(row));
    for (const job of jobs) {
      if (seen.has(job.job_id) && seen.get(job.job_id) !== job.state) byId("live").textContent = `${job.kind} ${job.state}`;
      seen.set(job.job_id, job.state);
    }
    if (jobs.some((job) => !FINAL.includes(job.state))) pause = 1000;
  } catch (error) {
    byId("live").textContent = error.message;
  }
  setTimeout(next, pause);
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", next, { once: true });
  else refresh();
}

next();
