// Why an expected film is not among the answers: paste its id or address, or pick one that was looked at lately.

import { byId, el, show, thumbnail } from "./dom.js";
import { call } from "./api.js";
import { seen } from "./seen.js";

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

export class WhyNot {
  constructor() {
    this.request = null;
    const box = byId("whynot-id");
    byId("whynot-form").addEventListener("submit", (event) => { event.preventDefault(); this.ask(box.value); });
    byId("whynot").addEventListener("toggle", () => { if (byId("whynot").open) { this.pick(); box.focus(); } });
  }

  // The question that a film may be missing from; nothing where films are only listed.
  about(request) {
    this.request = request;
    show(byId("whynot"), Boolean(request));
    byId("whynot-said").replaceChildren();
  }

  pick() {
    byId("whynot-seen").replaceChildren(...seen().map((id) => el("li", {}, el("button", { type: "button", "aria-label": "A film looked at lately", onclick: () => this.ask(id) },
      el("img", { src: thumbnail(id), alt: "", width: "48", height: "48" })))));
  }

  async ask(text) {
    const said = byId("whynot-said");
    const id = text.match(ID)?.[0];
    if (!id) { said.replaceChildren(el("li", {}, "Paste a film’s id, or the address of its page.")); return; }
    byId("whynot").open = true;
    byId("whynot-id").value = id;
    said.replaceChildren(el("li", { class: "quiet" }, "Looking…"));
    try {
      const { reasons } = await call("/v1/search:whyNot", { search: this.request, image_id: id });
      said.replaceChildren(...(reasons.length ? reasons.map(line) : [el("li", {}, "No reason can be told: every model has it near, and no rule leaves it out.")]));
    } catch (error) { said.replaceChildren(el("li", { class: "error" }, error.message)); }
  }
}

// A message that begins with a model's name keeps its letters.
const line = ({ message, clause, model }) => el("li", {}, message.startsWith(model || " ") ? message : message.charAt(0).toUpperCase() + message.slice(1), clause ? [": ", el("code", {}, clause)] : ".");
