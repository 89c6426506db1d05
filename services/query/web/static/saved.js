// Questions kept by name: the list, and keeping this one.

import { byId, el, plural, show } from "./dom.js";
import { call } from "./api.js";

export class Saved {
  // asked(): the request to keep and a name for it.  open(search): show one.  kept(id): this question is now that one.
  constructor({ asked, open, kept, gone }) {
    Object.assign(this, { asked, open, kept, gone, current: "" });
    byId("saved").addEventListener("toggle", () => { if (byId("saved").open) this.list(); });
    byId("save-now").addEventListener("click", () => this.save());
    byId("save-title").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.save(); } });
    addEventListener("pointerdown", (event) => { if (!byId("saved").contains(event.target)) byId("saved").open = false; });
    byId("saved").addEventListener("keydown", (event) => { if (event.key === "Escape") { byId("saved").open = false; byId("saved").firstElementChild.focus(); event.stopPropagation(); } });
  }

  show(state) {
    this.current = state.saved || state.run;
    byId("saved").classList.toggle("on", Boolean(this.current));
  }

  async list() {
    const place = byId("saved-list");
    const { request, title } = this.asked();
    show(byId("save-form"), Boolean(request));
    if (document.activeElement !== byId("save-title")) byId("save-title").value = title;
    byId("save-said").textContent = "";
    try {
      const { searches } = await call("/v1/searches");
      place.replaceChildren(...(searches.length ? searches.map((one) => this.line(one)) : [el("li", { class: "quiet" }, "Nothing saved yet.")]));
    } catch (error) { this.tell(error); }
  }

  line(search) {
    return el("li", {},
      el("button", { type: "button", class: "saved-one", "aria-current": search.search_id === this.current && "true", onclick: () => { byId("saved").open = false; this.open(search); } },
        search.title, el("small", { class: "quiet" }, search.marked ? ` ${plural(search.marked, "mark")}` : "")),
      el("button", { type: "button", class: "link", "aria-label": `Delete ${search.title}`, title: "delete", onclick: () => this.remove(search.search_id) }, "×"));
  }

  async save() {
    const { request } = this.asked();
    try {
      const made = await call("/v1/searches", { title: byId("save-title").value, request });
      await this.kept(made.search_id);
      await this.list();
      byId("save-said").textContent = "Saved.";
    } catch (error) { this.tell(error); }
  }

  async remove(id) {
    try {
      await call(`/v1/searches/${encodeURIComponent(id)}`, undefined, undefined, "DELETE");
      if (id === this.current) this.gone();
      await this.list();
    } catch (error) { this.tell(error); }
  }

  tell(error) { byId("save-said").textContent = error.message; }
}
