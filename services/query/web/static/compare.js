// Another film of the same patient beside this one, under the same window and level.

import { byId, el, thumbnail } from "./dom.js";
import { Viewer } from "./viewer.js";

export class Compare {
  // viewer(): the film's own viewer, once its picture is there.
  constructor(viewer) {
    Object.assign(this, { viewer, other: null, strip: byId("relatives") });
    this.strip?.addEventListener("click", (event) => {
      const button = event.target.closest(".beside");
      if (button) this.turn(button.dataset.id);
    });
  }

  get shown() { return this.other?.id ?? ""; }

  // The film before this one, best of the same view; else any other.
  prior() {
    const all = [...(this.strip?.querySelectorAll("li") ?? [])];
    const here = all.findIndex((item) => item.querySelector("[aria-current]"));
    const before = all.slice(0, here).reverse();
    const view = all[here]?.dataset.view;
    return [...before, ...all.slice(here + 1)].sort((a, b) => (b.dataset.view === view) - (a.dataset.view === view))[0]?.querySelector(".beside").dataset.id;
  }

  toggle() {
    const id = this.shown || this.prior();
    if (id) this.turn(id);
  }

  turn(id) { if (this.shown === id) this.close(); else this.open(id); }

  close() {
    this.other?.sheet.remove();
    this.other = null;
    this.viewer().twin = null;
    this.tell();
  }

  open(id) {
    const button = this.strip?.querySelector(`.beside[data-id="${CSS.escape(id)}"]`);
    if (!button || !this.viewer()) return;
    this.close();
    const canvas = el("canvas", { role: "img", "aria-label": `${button.dataset.name}, beside this film` });
    const sheet = el("div", { class: "sheet compared" }, canvas, el("a", { class: "caption", href: `/images/${id}` }, button.dataset.name));
    this.other = { id, sheet };
    const picture = new Image();
    picture.onload = () => {
      if (this.other?.sheet !== sheet) return;
      byId("screen").append(sheet);
      this.viewer().pair(new Viewer(canvas, picture, () => {}));
      this.tell();
    };
    picture.src = thumbnail(id);
  }

  tell() {
    byId("screen").classList.toggle("pair", Boolean(byId("screen").querySelector(".sheet:not(#sheet)")));
    for (const button of this.strip?.querySelectorAll(".beside") ?? []) button.setAttribute("aria-pressed", String(button.dataset.id === this.shown));
    const address = new URL(location.href);
    if (this.shown) address.searchParams.set("beside", this.shown); else address.searchParams.delete("beside");
    history.replaceState(null, "", address);
  }
}
