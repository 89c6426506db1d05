// The filter's text is the truth; the counts beside it write it.

import { byId, show } from "./dom.js";
import { toggle } from "./clauses.js";
import { Facets } from "./facets.js";

export class Filter {
  // changed(text): the filter is another one now.  names: told of the findings there are.
  constructor(changed, names) {
    this.box = byId("where");
    this.changed = changed;
    this.facets = new Facets((field, value) => this.set(toggle(this.text, field, value)), names);
    this.box.addEventListener("change", () => this.set(this.box.value));
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.set(this.box.value); }
    });
    byId("clear").addEventListener("click", () => this.set(""));
    for (const button of document.querySelectorAll(".example")) button.addEventListener("click", () => this.set(button.dataset.where));
  }

  get text() { return this.box.value.trim(); }

  write(text) { this.box.value = text; this.told = text; this.refuse(""); this.facets.load(text); }

  set(text) { if (text.trim() !== (this.told ?? "")) { this.write(text.trim()); this.changed(text.trim()); } }

  refuse(message) {
    const error = byId("where-error");
    error.textContent = message;
    show(error, Boolean(message));
    this.box.setAttribute("aria-invalid", String(Boolean(message)));
    if (message) byId("panel").open = true;
  }
}
