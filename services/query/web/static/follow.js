// A job, followed until it is finished: {done} shows it, tells how long it takes, and can end it.

import { el } from "./dom.js";
import { call } from "./api.js";

export const FINAL = ["succeeded", "failed", "cancelled"];
const PAUSE = 400;

export const left = (seconds) => (seconds === undefined || seconds === null ? "" : seconds < 90 ? ` · ${Math.ceil(seconds)} s left` : ` · ${Math.round(seconds / 60)} min left`);

// Shows the job in `place`; resolves with the finished job, whatever became of it.
export async function follow(job, place) {
  const bar = el("progress", { max: 1, "aria-label": "progress" });
  const said = el("span", { role: "status" }, "waiting for its turn");
  const stop = el("button", { class: "link", type: "button", onclick: () => { stop.disabled = true; call(`/v1/jobs/${job.job_id}:cancel`, {}).catch((error) => { said.textContent = error.message; }); } }, "cancel");
  place.replaceChildren(bar, " ", said, " ", stop);
  for (;;) {
    const now = await call(`/v1/jobs/${encodeURIComponent(job.job_id)}`);
    if (FINAL.includes(now.state)) { place.replaceChildren(); return now; }
    const { stage = "", done = 0, total = 0, eta_seconds: eta } = now.progress ?? {};
    if (total) Object.assign(bar, { max: total, value: done }); else bar.removeAttribute("value");
    said.textContent = `${stage || now.state}${total > 1 ? ` ${done.toLocaleString("en")} / ${total.toLocaleString("en")}` : ""}${left(eta)}`;
    await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
  }
}
