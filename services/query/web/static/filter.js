// The filter's text and the chips that write it. The text is the truth; chips add and take away clauses of the form
// `field = value`, several of one field joined by OR (which binds tighter than AND).

import { byId, el, show, words } from "./dom.js";
import { call } from "./api.js";

const NAMES = { dataset: "Dataset", view: "View", sex: "Sex", modality: "Modality" };
const MOST = 18;
const STATES = [["present", "+"], ["absent", "−"], ["uncertain", "?"]];

const quoted = (value) => (/^[A-Za-z][A-Za-z0-9_.-]*$/.test(value) && !/^(AND|OR|NOT)$/.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`);

const clause = (field, value) => {
  if (value === "unknown" && !field.startsWith("labels.")) return `NOT ${field}:*`;
  return `${field} = ${quoted(value)}`;
};

// Splits at `word` outside of quotes and parentheses.
function split(text, word) {
  const parts = [""];
  let depth = 0, quote = "";
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quote) { if (c === "\\") { parts[parts.length - 1] += c; i += 1; } else if (c === quote) quote = ""; }
    else if (c === '"' || c === "'") quote = c;
    else if (c === "(") depth += 1;
    else if (c === ")") depth -= 1;
    if (!quote && depth === 0 && text.slice(i).match(new RegExp(`^\\s${word}\\s`))) { parts.push(""); i += word.length + 1; continue; }
    parts[parts.length - 1] += text[i] ?? "";
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

export function has(text, field, value) {
  return split(text, "AND").some((part) => split(part, "OR").includes(clause(field, value)));
}

export function toggle(text, field, value) {
  const wanted = clause(field, value);
  const parts = split(text, "AND").map((part) => split(part, "OR"));
  const holder = parts.find((part) => part.includes(wanted));
  if (holder) holder.splice(holder.indexOf(wanted), 1);
  else {
    const same = parts.find((part) => part.every((one) => one.startsWith(`${field} `) || one === `NOT ${field}:*`));
    if (same) same.push(wanted);
    else parts.push([wanted]);
  }
  return parts.filter((part) => part.length).map((part) => part.join(" OR ")).join(" AND ");
}

export class Filter {
  constructor(changed) {
    this.box = byId("where");
    this.changed = changed;
    this.box.addEventListener("change", () => this.set(this.box.value));
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.set(this.box.value); }
    });
    byId("clear").addEventListener("click", () => this.set(""));
    for (const button of document.querySelectorAll(".example")) button.addEventListener("click", () => this.set(button.dataset.where));
  }

  get text() { return this.box.value.trim(); }

  write(text) { this.box.value = text; this.told = text; this.refuse(""); this.press(); }

  set(text) { if (text.trim() !== (this.told ?? "")) { this.write(text.trim()); this.changed(); } }

  refuse(message) {
    const error = byId("where-error");
    error.textContent = message;
    show(error, Boolean(message));
    this.box.setAttribute("aria-invalid", String(Boolean(message)));
    if (message) byId("panel").open = true;
  }

  press() {
    for (const chip of document.querySelectorAll("#facets .choice"))
      chip.setAttribute("aria-pressed", String(has(this.text, chip.dataset.field, chip.dataset.value)));
  }

  chip(field, value, label, extra = {}) {
    return el("button", { type: "button", class: "choice", "data-field": field, "data-value": value, "aria-pressed": "false",
      onclick: () => this.set(toggle(this.text, field, value)), ...extra }, label);
  }

  // Counts over the whole archive: they say what there is to choose from.
  async load() {
    const place = byId("facets");
    try {
      const { facets } = await call("/v1/images:facets", {});
      const plain = facets.filter((facet) => facet.field in NAMES && (facet.counts.length > 1 || facet.field === "dataset") && facet.counts.length);
      const findings = facets.filter((facet) => facet.field.startsWith("labels."));
      place.replaceChildren(
        ...plain.map((facet) => el("section", { class: "facet" }, el("h3", {}, NAMES[facet.field]), el("div", { class: "chips" },
          facet.counts.slice(0, MOST).map(({ value, count }) => this.chip(facet.field, value, [value, el("small", {}, String(count))]))))),
        ...(findings.length ? [this.findings(findings)] : []));
      this.press();
    } catch {
      place.replaceChildren(el("p", { class: "quiet small" }, "Counts are not to be had at the moment; the filter works."));
    }
    place.setAttribute("aria-busy", "false");
  }

  findings(facets) {
    const head = ["Findings", ...STATES.map(([, sign]) => sign)];
    const rows = facets.slice(0, 40).flatMap(({ field, counts }) => {
      const name = field.slice("labels.".length);
      const of = Object.fromEntries(counts.map(({ value, count }) => [value, count]));
      return [el("span", { title: words(name) }, words(name)), ...STATES.map(([state]) => of[state]
        ? this.chip(field, state, String(of[state]), { class: `choice ${state}`, "aria-label": `${words(name)} ${state}: ${of[state]} films`, title: state })
        : el("span", {}))];
    });
    return el("section", { class: "facet" }, el("div", { class: "findings" },
      head.map((text, place) => el("span", { class: "sign", title: place ? STATES[place - 1][0] : "" }, place ? text : el("h3", {}, text))), rows));
  }
}
