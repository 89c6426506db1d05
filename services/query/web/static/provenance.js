// How an answer came about: models, filter in force, kind of search, versions.

import { byId, el, show } from "./dom.js";

const LEFT_OUT = { patient: "films of the same patient", study: "films of the same study", none: "nothing" };
const FUSIONS = { rrf: "reciprocal-rank fusion of the models", dbsf: "distribution-based fusion of the models’ scores", weighted: "weighted sum of the models’ scores" };

export function provenance(how, state, film) {
  const rows = [
    ...how.models.map((model) => [model.name, `fingerprint ${model.fingerprint.slice(0, 16)}…, collection ${model.collection}`]),
    ["filter in force", how.filter || "none"], ["left out", film ? LEFT_OUT[how.exclude] : "nothing: words are nobody’s film"],
    ["search", how.exact ? "exact: compared with every film" : "approximate nearest neighbours"],
    ["score", how.models.length > 1 ? FUSIONS[state.fusion] ?? state.fusion : "cosine similarity"],
    ...how.notes.map((note) => ["note", note]),
    ["when", `${how.time}, took ${how.elapsed_ms.toFixed(1)} ms`], ["software", Object.entries(how.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  byId("provenance").replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  show(byId("how"), true);
}
