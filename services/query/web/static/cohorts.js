// The page of cohorts: those there are, and a form that shows what it asks for while it is filled.

import { byId, el, plural, show } from "./dom.js";
import { call } from "./api.js";
import { flow } from "./attrition.js";
import { Rows, cap, criterion } from "./criteria.js";
import { fields } from "./fields.js";
import { follow } from "./follow.js";
import { HEAD, PARTS, asForm, places, said, yaml } from "./spec.js";

const DEBOUNCE = 450;
const link = (name) => `/cohorts/${encodeURIComponent(name)}`;

async function list() {
  const place = byId("cohorts");
  try {
    const { cohorts = [] } = await call("/v1/cohorts?page_size=1000");
    place.replaceChildren(...(cohorts.length ? cohorts.map((one) => el("tr", {},
      el("td", {}, el("a", { href: link(one.name) }, one.name)), el("td", {}, one.title), el("td", {}, one.films.images.toLocaleString("en")),
      el("td", {}, el("time", { datetime: one.created_at }, one.created_at.slice(0, 10)))))
      : [el("tr", {}, el("td", { colspan: 4, class: "quiet" }, "No cohorts yet. Build one below."))]));
  } catch (error) { place.replaceChildren(el("tr", {}, el("td", { colspan: 4, class: "error" }, error.message))); }
}

class Builder {
  constructor(spec) {
    this.form = asForm(spec);
    if (!this.form.criteria.length) this.form.criteria.push({ filter: "" });
    const changed = () => this.changed();
    byId("head").replaceChildren(...fields(HEAD, this.form, changed));
    this.criteria = new Rows(byId("criteria"), this.form.criteria, changed, criterion, "criterion");
    this.caps = new Rows(byId("caps"), this.form.caps, changed, cap, "cap");
    for (const [part, defs] of Object.entries(PARTS)) {
      byId(part).replaceChildren(...fields(defs, this.form[part], changed));
      byId(part).closest("details").open = Object.keys(this.form[part]).length > 0;
    }
    byId("add-criterion").onclick = () => this.criteria.add({ filter: "" });
    byId("add-cap").onclick = () => this.caps.add({ per: "patient", most: 1, which: "first" });
    byId("build").onclick = () => this.build();
    byId("copy").onclick = () => navigator.clipboard?.writeText(byId("spec").textContent).then(() => { byId("copy").textContent = "copied"; }, () => {});
    for (const one of document.querySelectorAll("[name=as]")) one.onchange = () => this.tell();
    this.changed();
  }

  changed() {
    this.tell();
    clearTimeout(this.due);
    this.due = setTimeout(() => this.preview(), DEBOUNCE);
  }

  tell() {
    const spec = said(this.form);
    const json = document.querySelector("[name=as]:checked").value === "json";
    byId("spec").textContent = Object.keys(spec).length ? (json ? JSON.stringify(spec, null, 2) : yaml(spec)) : "nothing is asked yet";
    byId("copy").textContent = "copy";
  }

  async preview() {
    this.under?.abort();
    const mine = this.under = new AbortController();
    const spec = said(this.form);
    byId("flow").setAttribute("aria-busy", "true");
    try {
      const found = await call("/v1/cohorts:preview", { spec }, mine.signal);
      this.refuse("");
      byId("flow").replaceChildren(...flow(found.steps));
      const last = found.steps.at(-1).left;
      const later = ["match", "sample", "split"].filter((part) => spec[part]);
      byId("so-far").textContent = `${plural(last.images, "film")} of ${plural(last.patients, "patient")}${later.length ? `, before ${later.join(", ")}` : ""} · ${found.seconds.toFixed(1)} s`;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.refuse(error.message);
    }
    byId("flow").removeAttribute("aria-busy");
  }

  // A message that names a criterion stands at that criterion.
  refuse(message) {
    const [, number] = message.match(/criteria\[(\d+)\]/i) ?? [];
    const here = number !== undefined ? this.criteria.refuse(places(this.form)[Number(number)], message.replace(/^criteria\[\d+\](\.\w+)?:\s*/i, "")) : this.criteria.refuse(-1, "");
    byId("refused").textContent = here ? "" : message;
    show(byId("refused"), Boolean(message) && !here);
    if (message) byId("so-far").textContent = "";
  }

  async build() {
    const spec = said(this.form), button = byId("build");
    if (!spec.name) { this.refuse("Give the cohort a name: letters, digits, '.', '_' and '-'."); byId("head").querySelector("input").focus(); return; }
    button.disabled = true;
    try {
      const job = await follow(await call("/v1/cohorts", { spec, request_id: crypto.randomUUID?.() ?? String(Math.random()) }), byId("building"));
      if (job.state === "succeeded") { location.href = link(spec.name); return; }
      this.refuse(job.error?.message ? `${job.error.message[0].toUpperCase()}${job.error.message.slice(1)}.` : `It was ${job.state}.`);
    } catch (error) { this.refuse(error.message); }
    button.disabled = false;
  }
}

async function begin() {
  list();
  const from = new URLSearchParams(location.search).get("from");
  let spec = {};
  if (from) {
    try { spec = { ...(await call(`/v1/cohorts/${encodeURIComponent(from)}`)).spec, name: "", rerun_of: "" }; }
    catch (error) { show(byId("refused"), true); byId("refused").textContent = error.message; }
  }
  const builder = new Builder(spec);
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); builder.build(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    if (event.key === "a") { event.preventDefault(); byId("add-criterion").click(); }
  });
}

begin();
