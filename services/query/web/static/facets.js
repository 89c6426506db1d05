// How many films there are of each kind among those that the filter leaves, exactly; a click narrows the filter.

import { byId, el, words } from "./dom.js";
import { call } from "./api.js";
import { has, without } from "./clauses.js";

const NAMES = { dataset: "Dataset", view: "View", sex: "Sex", modality: "Modality" };
const MOST = 18;
const MOST_FINDINGS = 40;
const STATES = [["present", "+"], ["absent", "−"], ["uncertain", "?"]];

const findingsOf = (facets) => facets.filter(({ field }) => field.startsWith("labels."));
const nameOf = ({ field }) => field.slice("labels.".length);

export class Facets {
  // turn(field, value): a choice was made.  names: told of all findings there are.
  constructor(turn, names) { Object.assign(this, { turn, names, under: null, told: null, named: false }); }

  async load(text) {
    const place = byId("facets");
    if (this.told === text) { this.under?.abort(); this.press(text); place.setAttribute("aria-busy", "false"); return; }
    this.under?.abort();
    const mine = (this.under = new AbortController());
    this.press(text);
    place.setAttribute("aria-busy", "true");
    try {
      const ask = (filter, fields) => call("/v1/images:facets", { filter, ...(fields && { fields }) }, mine.signal);
      // Of a field that is chosen from, the other choices are counted as if it were not.
      const others = Object.keys(NAMES).map((field) => [field, without(text, field)]).filter(([, rest]) => rest.said);
      const whole = this.named ? null : ask(""); // the findings of the whole archive, for choices that are no filter
      const [all, ...rest] = await Promise.all([ask(text), ...others.map(([field, left]) => ask(left.text, [field]))]);
      if (whole) this.names(findingsOf((await whole).facets).map(nameOf).sort());
      this.named = true;
      const beside = new Map(rest.map(({ facets: [facet] }) => [facet.field, facet]));
      this.draw(place, all.facets.map((facet) => beside.get(facet.field) ?? facet), beside);
      this.told = text;
      this.press(text);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.code !== "INVALID_FILTER") place.replaceChildren(el("p", { class: "quiet small" }, "Counts are not to be had at the moment; the filter works."));
    }
    place.setAttribute("aria-busy", "false");
  }

  draw(place, facets, chosen) {
    const plain = facets.filter((facet) => facet.field in NAMES && facet.counts.length && (facet.counts.length > 1 || facet.field === "dataset" || chosen.has(facet.field)));
    const findings = findingsOf(facets);
    const { field, value } = place.contains(document.activeElement) ? document.activeElement.dataset : {};
    place.replaceChildren(
      ...plain.map((facet) => el("section", { class: "facet" }, el("h3", {}, NAMES[facet.field]), el("div", { class: "chips" },
        facet.counts.slice(0, MOST).map(({ value, count }) => this.chip(facet.field, value, [value, el("small", {}, count.toLocaleString("en"))]))))),
      ...(findings.length ? [this.findings(findings)] : []));
    // The hand stays on the choice that was made.
    if (field) place.querySelector(`[data-field="${CSS.escape(field)}"][data-value="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
  }

  press(text) {
    for (const chip of document.querySelectorAll("#facets .choice"))
      chip.setAttribute("aria-pressed", String(has(text, chip.dataset.field, chip.dataset.value)));
  }

  chip(field, value, label, extra = {}) {
    return el("button", { type: "button", class: "choice", "data-field": field, "data-value": value, "aria-pressed": "false", onclick: () => this.turn(field, value), ...extra }, label);
  }

  findings(facets) {
    const head = ["Findings", ...STATES.map(([, sign]) => sign)];
    const rows = facets.slice(0, MOST_FINDINGS).flatMap(({ field, counts }) => {
      const name = words(nameOf({ field }));
      const of = Object.fromEntries(counts.map(({ value, count }) => [value, count]));
      return [el("span", { title: name }, name), ...STATES.map(([state]) => of[state]
        ? this.chip(field, state, of[state].toLocaleString("en"), { class: `choice ${state}`, "aria-label": `${name} ${state}: ${of[state]} films`, title: state })
        : el("span", {}))];
    });
    return el("section", { class: "facet" }, el("div", { class: "findings" },
      head.map((text, place) => el("span", { class: "sign", title: place ? STATES[place - 1][0] : "" }, place ? text : el("h3", {}, text))), rows));
  }
}
