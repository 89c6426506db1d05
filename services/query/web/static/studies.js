// The list of reader studies, and making one.

import { byId, el, show } from "./dom.js";
import { Failure, call } from "./api.js";

export const TASKS = { choose: "choose the most alike", pairs: "which of two", grades: "grades 0 to 3" };

function row(study) {
  const given = study.readers.reduce((sum, one) => sum + one.answered, 0);
  return el("tr", {},
    el("td", {}, el("a", { href: `/studies/${encodeURIComponent(study.study_id)}` }, study.title || "(untitled)")),
    el("td", {}, TASKS[study.design.kind]), el("td", {}, study.sets), el("td", {}, study.readers.length),
    el("td", {}, study.readers.length ? `${Math.round((100 * given) / Math.max(1, study.readers.length * study.sets))} %` : "–"),
    el("td", {}, study.state), el("td", {}, study.created_at.slice(0, 10)));
}

async function list() {
  const { studies } = await call("/v1/studies");
  byId("studies").replaceChildren(...(studies.length ? studies.map(row) : [el("tr", {}, el("td", { colspan: "7", class: "quiet" }, "No study yet."))]));
}

// The answer tells progress, then the study: one event after the other.
async function draw(body, seen) {
  const answer = await fetch("/v1/studies", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) {
    const { error } = await answer.json();
    throw new Failure(error.code, error.message.charAt(0).toUpperCase() + error.message.slice(1) + ".");
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const told = JSON.parse(event.slice(event.indexOf("data: ") + 6));
      if (event.startsWith("event: error")) throw new Failure(told.code, told.message.charAt(0).toUpperCase() + told.message.slice(1) + ".");
      if (told.study) return told.study;
      seen(told.progress);
    }
    if (done) throw new Failure("UNAVAILABLE", "The server ended while it drew the sets. Try again.");
  }
}

function turn(form) {
  const pairs = form.elements.kind.value === "pairs";
  for (const label of form.querySelectorAll(".many")) show(label, !pairs);
}

if (byId("create")) {
  const form = byId("create");
  form.elements.kind.addEventListener("change", () => turn(form));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(byId("alert"), false);
    const { title, ...said } = Object.fromEntries(new FormData(form));
    for (const name of ["sets", "repeats", "nearest", "others", "seed"]) said[name] = Number(said[name]) || 0;
    if (said.kind === "pairs") { delete said.nearest; delete said.others; }
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      const study = await draw({ title, design: said }, ({ done, total }) => { byId("drawing").textContent = `${done} of ${total} sets`; });
      location.assign(`/studies/${encodeURIComponent(study.study_id)}`);
    } catch (error) {
      byId("drawing").textContent = "";
      byId("alert").textContent = error.message;
      show(byId("alert"), true);
      byId("alert").scrollIntoView({ block: "center" });
    }
    button.disabled = false;
  });
  turn(form);
  try { await list(); } catch (error) { byId("alert").textContent = error.message; show(byId("alert"), true); }
}
