// Rows of a form whose order counts: criteria and caps. A row is moved by its buttons or Alt with an arrow.

import { el } from "./dom.js";
import { fields } from "./fields.js";
import { CAP, CRITERION, TESTS, testOf } from "./spec.js";

export class Rows {
  // make(row, changed): the elements of a row.  fresh(): a new one.
  constructor(place, rows, changed, make, noun) {
    Object.assign(this, { place, rows, changed, make, noun });
    this.draw();
  }

  add(row) { this.rows.push(row); this.draw(); this.place.lastElementChild.querySelector("textarea, input, select")?.focus(); this.changed(); }

  draw() { this.place.replaceChildren(...this.rows.map((row, number) => this.row(row, number))); }

  row(row, number) {
    const button = (name, label, act, off) => el("button", { class: "link", type: "button", "aria-label": `${label} ${this.noun} ${number + 1}`, title: label, disabled: off, onclick: act }, name);
    const made = el("li", { class: "rule", onkeydown: (event) => {
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) { event.preventDefault(); this.move(number, event.key === "ArrowUp" ? -1 : 1); }
    } },
    el("div", { class: "rule-tools" }, el("span", { class: "quiet" }, `${number + 1}`), button("↑", "move up", () => this.move(number, -1), number === 0),
      button("↓", "move down", () => this.move(number, 1), number === this.rows.length - 1), button("×", "remove", () => this.remove(number))),
    el("div", { class: "rule-body" }, this.make(row, () => this.changed(), () => this.draw())),
    el("p", { class: "error rule-error", hidden: true }));
    return made;
  }

  move(number, by) {
    const to = number + by;
    if (to < 0 || to >= this.rows.length) return;
    this.rows.splice(to, 0, ...this.rows.splice(number, 1));
    this.draw();
    this.place.children[to].querySelector("textarea, input, select")?.focus();
    this.changed();
  }

  remove(number) { this.rows.splice(number, 1); this.draw(); this.changed(); }

  // What is wrong, at the row that it is of; true where that row is here.
  refuse(number, message) {
    for (const old of this.place.querySelectorAll(".rule-error")) old.hidden = true;
    const place = this.place.children[number]?.querySelector(".rule-error");
    if (!place) return false;
    Object.assign(place, { textContent: message, hidden: !message });
    return true;
  }
}

export function criterion(row, changed, again) {
  const test = testOf(row);
  const turn = (kind) => { for (const other of Object.keys(TESTS)) delete row[other]; row[kind] = TESTS[kind].fresh(); again(); changed(); };
  const kinds = el("select", { "aria-label": "what is tested", onchange: (event) => turn(event.target.value) },
    Object.entries(TESTS).map(([kind, { name }]) => el("option", { value: kind, selected: kind === test }, name)));
  const sides = el("select", { "aria-label": "keep or leave out", onchange: (event) => { row.exclude = event.target.value === "out"; changed(); } },
    el("option", { value: "in", selected: !row.exclude }, "keep films by"), el("option", { value: "out", selected: row.exclude }, "leave out films by"));
  const model = test === "filter" ? row : row[test];
  const more = el("details", { class: "finer", open: Boolean(row.name || row.level || row.among) }, el("summary", {}, "more"), el("div", { class: "entries" }, fields(CRITERION, row, changed)));
  return [el("div", { class: "rule-kind" }, sides, kinds), el("div", { class: "entries" }, fields(TESTS[test].fields, model, changed)), more];
}

export const cap = (row, changed) => [el("div", { class: "entries" }, fields(CAP, row, changed))];
