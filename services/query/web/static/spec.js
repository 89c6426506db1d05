// The specification of a cohort as this page knows it: its parts, their fields, and how it is told in JSON and YAML.

const MONO = { code: true, wide: true };
const where = (key, label, example, more = {}) => ({ key, label, kind: "area", example, ...MONO, ...more });
const UNITS = [["", "film"], ["study", "study"], ["patient", "patient"]];
const SIDES = [["first", "first"], ["last", "last"]];

export const HEAD = [
  { key: "name", label: "Name", kind: "text", example: "adults-pa", hint: "cohort = \"name\" finds its films from then on" },
  { key: "title", label: "Title", kind: "text", wide: true, example: "what it is, in words" },
  { key: "unit", label: "Draw and split", kind: "choice", options: [["", "films"], ["study", "studies"], ["patient", "patients"]] },
  { key: "seed", label: "Seed", kind: "number", size: 6, example: "0" },
];

export const TESTS = {
  filter: { name: "a filter", fresh: () => "", fields: [where("filter", "Filter", 'view = "PA" AND age >= 18')] },
  time: {
    name: "the patient's time", fresh: () => ({}), fields: [
      where("anchor", "Study of reference (a film of it passes)", "labels.edema = present"),
      { key: "which", label: "The", kind: "choice", options: SIDES, hint: "such study of the patient" },
      { key: "from_day", label: "From day", kind: "number", size: 5, example: "-30" },
      { key: "to_day", label: "To day", kind: "number", size: 5, example: "0" },
      { key: "at_least_studies", label: "At least studies", kind: "number", size: 5 },
    ],
  },
  similar: {
    name: "likeness", fresh: () => ({}), fields: [
      { key: "text", label: "To words", kind: "text", wide: true, example: "large left pleural effusion" },
      { key: "image_ids", label: "Or to films (ids)", kind: "ids" },
      { key: "model", label: "Model", kind: "text", example: "the only one" },
      { key: "top", label: "Nearest", kind: "number", size: 6, example: "500" },
      { key: "at_least", label: "Probability at least", kind: "number", size: 5 },
      { key: "finding", label: "Of finding", kind: "text" },
    ],
  },
  cluster: {
    name: "clusters of a run", fresh: () => ({}), fields: [
      { key: "run_id", label: "Run", kind: "text", wide: true }, { key: "model", label: "Model", kind: "text" },
      { key: "resolution", label: "Resolution", kind: "number", size: 5 }, { key: "numbers", label: "Numbers", kind: "numbers", example: "0, 3" },
    ],
  },
  ids: { name: "a list of films", fresh: () => ({}), fields: [{ key: "image_ids", label: "Image ids", kind: "ids" }] },
};

export const CRITERION = [
  { key: "name", label: "Name", kind: "text", example: "the test in words" },
  { key: "level", label: "Judged by", kind: "choice", options: UNITS, hint: "whose films stand or fall together" },
  { key: "films", label: "Films", kind: "choice", options: [["", "any passes"], ["all", "all pass"]], when: (one) => Boolean(one.level) },
  { key: "among", label: "Over", kind: "choice", options: [["", "the archive"], ["remaining", "what is left"]] },
];

export const CAP = [
  { key: "per", label: "Per", kind: "choice", options: [["patient", "patient"], ["study", "study"]] },
  { key: "most", label: "At most", kind: "number", size: 5, example: "1" },
  { key: "which", label: "The", kind: "choice", options: [...SIDES, ["random", "random"]] },
  { key: "studies", label: "whole studies", kind: "check" },
];

export const PARTS = {
  match: [
    where("cases", "Cases", "labels.pneumothorax = present"), where("controls", "Controls", "every film of no patient that has a case"),
    { key: "exact", label: "Exactly the same", kind: "list", example: "sex, view" }, { key: "nearest", label: "Nearest by", kind: "list", example: "age" },
    { key: "propensity", label: "Or by propensity of", kind: "list", example: "age, sex" }, { key: "caliper", label: "Caliper (SD)", kind: "number", size: 5, example: "0.2" },
    { key: "within", label: "At most apart", kind: "shares", example: "age 5" }, { key: "ratio", label: "Cases : controls", kind: "text", size: 6, example: "1:1" },
  ],
  sample: [
    { key: "how", label: "How", kind: "choice", options: [["random", "at random"], ["stratified", "by strata"], ["quotas", "by quotas"], ["target", "to a target"]] },
    { key: "size", label: "How many", kind: "number", size: 7 },
    { key: "by", label: "By", kind: "list", example: "sex, age_band", when: (one) => ["stratified", "target"].includes(one.how) },
    { key: "allocation", label: "Shares", kind: "choice", options: [["proportional", "as in the archive"], ["equal", "equal"]], when: (one) => one.how === "stratified" },
    { key: "quotas", label: "Quotas, one a line", kind: "quotas", example: "200: labels.edema = present", when: (one) => one.how === "quotas" },
    { key: "targets", label: "Targets, one a line", kind: "targets", example: "sex: F 0.5, M 0.5", when: (one) => one.how === "target" },
    { key: "like", label: "Or as among films that pass", kind: "text", example: "split = test", code: true, when: (one) => one.how === "target" },
  ],
  split: [
    { key: "fractions", label: "Parts", kind: "shares", wide: true, example: "train 0.7, validate 0.1, test 0.2" },
    { key: "stratify", label: "Alike in", kind: "list", example: "sex, labels.edema" },
    { key: "near_duplicates", label: "near-duplicates on one side", kind: "check" },
    { key: "model", label: "told by model", kind: "text", example: "the only one", when: (one) => one.near_duplicates },
  ],
  table1: [
    { key: "variables", label: "Variables", kind: "list", wide: true, example: "age, sex, view, labels.edema" },
    { key: "by", label: "Columns by", kind: "text", example: "group, split or a variable" },
  ],
};

// What is said: nothing that is empty, off or at its default.
export function clean(value) {
  if (Array.isArray(value)) {
    const kept = value.map((one) => (typeof one === "number" ? one : clean(one))).filter((one) => one !== undefined);
    return kept.length ? kept : undefined;
  }
  if (value && typeof value === "object") {
    const kept = Object.entries(value).map(([key, one]) => [key, key === "from_day" || key === "to_day" ? one ?? undefined : clean(one)]).filter(([, one]) => one !== undefined);
    return kept.length ? Object.fromEntries(kept) : undefined;
  }
  return value === "" || value === false || value === 0 || value === null || value === undefined ? undefined : value;
}

const ORDER = ["name", "title", "unit", "seed", "criteria", "caps", "match", "sample", "split", "table1"];

// The specification that the form asks for; criteria and caps that say nothing yet are left out.
export function said(form) {
  const spec = clean({ ...form, criteria: undefined, caps: undefined }) ?? {};
  const criteria = form.criteria.map((one) => clean(one) ?? {}).filter((one) => Object.keys(TESTS).some((test) => one[test]));
  const caps = form.caps.filter((cap) => cap.most > 0).map((cap) => clean({ per: "patient", ...cap }));
  for (const [key, rows] of Object.entries({ criteria, caps })) if (rows.length) spec[key] = rows;
  for (const key of Object.keys(PARTS)) if (Array.isArray(spec[key]) || !spec[key] || !Object.keys(spec[key]).length) delete spec[key];
  if (spec.sample && !spec.sample.size && !spec.sample.quotas && !spec.sample.targets && !spec.sample.like) delete spec.sample;
  if (spec.split && !spec.split.fractions) delete spec.split;
  if (spec.match && !spec.match.cases) delete spec.match;
  const known = ORDER.filter((key) => key in spec);
  return Object.fromEntries([...known, ...Object.keys(spec).filter((key) => !known.includes(key))].map((key) => [key, spec[key]]));
}

// Where each criterion that is sent stands on the form.
export const places = (form) => form.criteria.map((one, place) => [clean(one) ?? {}, place]).filter(([one]) => Object.keys(TESTS).some((test) => one[test])).map(([, place]) => place);

export const testOf = (criterion) => Object.keys(TESTS).find((test) => test in criterion) ?? "filter";

// A specification that came from somewhere, as the form has it.
export function asForm(spec) {
  const kept = clean(spec) ?? {};
  const form = { ...kept, criteria: kept.criteria ?? [], caps: kept.caps ?? [] };
  for (const part of Object.keys(PARTS)) form[part] = kept[part] ?? {};
  return form;
}

const PLAIN = /^[A-Za-z_][\w .\-/]*$/;
const WORDS = /^(true|false|yes|no|on|off|null|y|n|nan|inf)$/i;

// Texts that YAML could read as anything else stand in JSON's quotes, which YAML has, too.
function scalar(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  return PLAIN.test(value) && !WORDS.test(value) && !/[\s.]$/.test(value) ? value : JSON.stringify(value);
}

export function yaml(value, indent = "") {
  if (Array.isArray(value)) {
    return value.map((one) => (one && typeof one === "object"
      ? `${indent}- ${yaml(one, `${indent}  `).trimStart()}` : `${indent}- ${scalar(one)}\n`)).join("");
  }
  return Object.entries(value).map(([key, one]) => (one && typeof one === "object"
    ? `${indent}${scalar(key)}:\n${yaml(one, `${indent}  `)}` : `${indent}${scalar(key)}: ${scalar(one)}\n`)).join("");
}
