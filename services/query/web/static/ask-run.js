// What an analysis is asked: its kind, of which models and films; told as a command, too, which takes every option.

import { byId, el, plural, show, words } from "./dom.js";
import { call } from "./api.js";
import { fields } from "./fields.js";

const DEBOUNCE = 350;
const BOTH = [{ key: "sample_size", label: "Films at most", kind: "number", size: 8, example: "all", hint: "drawn by the seed", option: "sample" }, { key: "seed", label: "Seed", kind: "number", size: 8, example: "0", option: "seed" }];
const LABELS = { key: "labels", label: "Findings", kind: "list", size: 34, example: "those stated often enough", hint: "with commas between them", option: "labels" };

// kind → [name, what it tells, its command, its own fields]
const GROUPS = {
  "See": {
    map: ["Map", "Every film a point, near those that a model takes for alike. Clusters, and what they are rich in.", "run", [LABELS]],
    compare: ["Models side by side", "Do they agree on who is near whom? Linked maps, and the films they part on.", "compare", []],
    structure: ["Structure", "Each space drawn in several ways and clustered: what is there again, what is chance?", "structure", []],
    eda: ["The archive", "Every field and finding, what is missing, what looks wrong.", "eda", []],
  },
  "Measure": {
    retrieval: ["Answers", "Films ask, and what comes first is judged: nDCG, mAP, precision, by patient.", "retrieval", [
      { key: "relevance", label: "Relevant is", kind: "choice", own: true, option: "relevance", options: [["findings", "who shares findings"], ["view", "the same view"], ["patient", "the same patient"], ["marks", "what users marked"]] },
      { key: "fuse", label: "also all models together", kind: "check", own: true, option: "fuse" },
      { key: "correct", label: "also with hubs corrected", kind: "check", own: true, option: "correct" }, LABELS]],
    probe: ["Findings", "Can a finding be read from the vectors of patients not seen before?", "probe", [LABELS]],
    calibration: ["Scores", "What a score means: the chance of sharing the finding. Answers tell it from then on.", "calibrate", [LABELS]],
    hubs: ["Hubs", "Films that are near everything. Searches can correct for them from then on.", "hubs", []],
  },
  "Check": {
    outliers: ["Outliers", "Films far from all others, why, and films that are nearly the same.", "outliers", []],
    label_quality: ["Labels", "Labels that a classifier blind to the patient contradicts: films to read again.", "labels", [LABELS]],
    shift: ["Shortcuts", "Can dataset, site, scanner, sex or age be read from the vectors, and what does that explain?", "shift", []],
  },
};
const KINDS = Object.assign({}, ...Object.values(GROUPS));
export const nameOf = (kind) => KINDS[kind]?.[0] ?? words(kind);
const MODELLESS = new Set(["eda"]);

const quoted = (text) => (/^[\w.,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const ways = (kind) => [...KINDS[kind][3], ...BOTH];

// What is asked, as the contract has it. Nothing is sent that was left as it is.
function request(asked) {
  const common = {}, own = {};
  for (const { key, own: its } of ways(asked.kind)) {
    const value = asked[key];
    if (value === undefined || value === false || value === "" || value?.length === 0) continue;
    (its ? own : common)[key] = value;
  }
  const models = MODELLESS.has(asked.kind) || asked.models.length === asked.every ? [] : asked.models;
  return { ...common, models, filter: asked.filter, ...(asked.kind === "map" ? {} : { [asked.kind]: own }) };
}

function command(asked) {
  const sent = request(asked), all = { ...sent, ...sent[asked.kind] };
  const parts = ["hilum analyze", KINDS[asked.kind][2]];
  if (sent.models.length) parts.push("--models", quoted(sent.models.join(",")));
  if (sent.filter) parts.push("--where", quoted(sent.filter));
  for (const { key, option } of ways(asked.kind)) {
    if (all[key] === undefined) continue;
    parts.push(all[key] === true ? `--${option}` : `--${option} ${quoted([all[key]].flat().join(","))}`);
  }
  return parts.join(" ");
}

// start(request) asks for it, and rejects with what is wrong.
export function form(start) {
  const place = byId("create"), boxes = [...place.querySelectorAll("[name=model]")];
  const asked = { kind: "map", filter: "", models: [], every: boxes.length };
  let due, under, wrong = false; // wrong: the filter, as far as is known

  const refuse = (message) => { byId("refused").textContent = message; show(byId("refused"), Boolean(message)); };

  async function count() {
    under?.abort();
    const mine = under = new AbortController();
    try {
      const { total = 0 } = await call("/v1/images:facets", { filter: asked.filter, fields: ["view"] }, mine.signal);
      byId("matches").textContent = `${plural(total, "film")}${asked.filter ? " match" + (total === 1 ? "es" : "") : ""}`;
      if (wrong) refuse("");
      wrong = false;
    } catch (error) {
      if (error.name === "AbortError") return;
      byId("matches").textContent = "";
      refuse(error.message);
      wrong = true;
    }
  }

  function changed() {
    asked.filter = byId("where").value.trim();
    asked.models = boxes.filter((box) => box.checked).map((box) => box.value);
    byId("command").textContent = command(asked);
    byId("copy").textContent = "copy";
    if (!wrong) refuse("");
    clearTimeout(due);
    due = setTimeout(count, DEBOUNCE);
  }

  function turn(kind) {
    asked.kind = kind;
    show(byId("of-models"), !MODELLESS.has(kind));
    byId("own").replaceChildren(...fields(ways(kind), asked, changed));
    changed();
  }

  byId("kinds").replaceChildren(...Object.entries(GROUPS).flatMap(([group, kinds]) => [
    el("h2", {}, group),
    ...Object.entries(kinds).map(([kind, [name, tells]]) => el("label", { class: "kind" },
      el("input", { type: "radio", name: "kind", value: kind, checked: kind === asked.kind, onchange: () => turn(kind) }), el("b", {}, name), el("small", {}, tells))),
  ]));
  for (const box of boxes) box.addEventListener("change", changed);
  byId("where").addEventListener("input", changed);
  byId("copy").onclick = () => navigator.clipboard?.writeText(byId("command").textContent).then(() => { byId("copy").textContent = "copied"; }, () => {});
  place.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (boxes.length && !asked.models.length && !MODELLESS.has(asked.kind)) { refuse("Choose at least one model."); return; }
    const button = place.querySelector("[type=submit]");
    button.disabled = true;
    refuse("");
    try { await start({ ...request(asked), request_id: crypto.randomUUID?.() ?? String(Math.random()) }); } catch (error) { refuse(error.message); }
    button.disabled = false;
  });
  place.addEventListener("keydown", (event) => { // Enter in a field is no order to begin
    if (event.key === "Enter" && event.target.matches("input[type=text]")) event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && byId("new").open) { event.preventDefault(); place.requestSubmit(); }
  });
  turn(asked.kind);
}
