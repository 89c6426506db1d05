// Fields of a form from data. A field knows how its value is typed and how it is told: {key, label, kind, …}.

import { el } from "./dom.js";

const listed = (text) => text.split(/[\s,]*,[\s,]*|\n+/).map((part) => part.trim()).filter(Boolean);
const number = (text) => (text.trim() === "" || !Number.isFinite(Number(text)) ? undefined : Number(text));

// "train 0.7, test 0.3" <-> {train: 0.7, test: 0.3}
const shares = {
  told: (value) => Object.entries(value ?? {}).map(([name, share]) => `${name} ${share}`).join(", "),
  read: (text) => Object.fromEntries(listed(text).map((part) => part.match(/^(.*?)[\s:=]+(-?[\d.]+)$/)).filter(Boolean).map(([, name, share]) => [name.trim(), Number(share)])),
};

const WAYS = {
  text: { told: (value) => value ?? "", read: (text) => text.trim() },
  area: { told: (value) => value ?? "", read: (text) => text.trim() },
  number: { told: (value) => value ?? "", read: number },
  list: { told: (value) => (value ?? []).join(", "), read: listed },
  ids: { told: (value) => (value ?? []).join("\n"), read: (text) => text.split(/[\s,]+/).filter(Boolean) },
  numbers: { told: (value) => (value ?? []).join(", "), read: (text) => listed(text).map(Number).filter(Number.isFinite) },
  shares,
  quotas: {
    told: (value) => (value ?? []).map(({ filter, size }) => `${size}: ${filter}`).join("\n"),
    read: (text) => text.split("\n").map((line) => line.match(/^\s*(\d+)\s*:\s*(.+)$/)).filter(Boolean).map(([, size, filter]) => ({ filter: filter.trim(), size: Number(size) })),
  },
  targets: {
    told: (value) => (value ?? []).map((one) => `${one.variable}: ${shares.told(one.shares)}`).join("\n"),
    read: (text) => text.split("\n").map((line) => line.match(/^\s*([\w.]+)\s*:\s*(.+)$/)).filter(Boolean).map(([, variable, rest]) => ({ variable, shares: shares.read(rest) })),
  },
};
const LARGE = new Set(["area", "ids", "quotas", "targets"]);

// The fields of `model`, which is changed as they are; `changed` is told of it.
export function fields(defs, model, changed) {
  const shown = defs.map((def) => [def, field(def, model, () => { look(); changed(); })]);
  const look = () => { for (const [def, place] of shown) place.hidden = Boolean(def.when && !def.when(model)); };
  look();
  return shown.map(([, place]) => place);
}

function field(def, model, changed) {
  const input = def.kind === "choice" ? choice(def, model, changed) : def.kind === "check" ? check(def, model, changed) : typed(def, model, changed);
  if (def.kind === "check") return el("label", { class: "pill lone", title: def.hint }, input, el("span", {}, def.label));
  return el("label", { class: `entry${def.wide || LARGE.has(def.kind) ? " wide" : ""}`, title: def.hint }, el("span", {}, def.label), input);
}

function choice(def, model, changed) {
  const made = el("select", { onchange: () => { model[def.key] = made.value; changed(); } },
    def.options.map(([value, name]) => el("option", { value, selected: (model[def.key] || def.options[0][0]) === value }, name)));
  return made;
}

function check(def, model, changed) {
  const made = el("input", { type: "checkbox", checked: Boolean(model[def.key]), onchange: () => { model[def.key] = made.checked; changed(); } });
  return made;
}

function typed(def, model, changed) {
  const way = WAYS[def.kind];
  const made = LARGE.has(def.kind) ? el("textarea", { rows: 3 }) : el("input", { type: "text", inputmode: def.kind === "number" ? "decimal" : null, size: def.size });
  if (def.code) made.classList.add("mono");
  Object.assign(made, { value: way.told(model[def.key]), placeholder: def.example ?? "", spellcheck: false, autocomplete: "off" });
  made.addEventListener("input", () => { model[def.key] = way.read(made.value); changed(); });
  return made;
}
