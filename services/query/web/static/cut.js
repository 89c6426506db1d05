// On the film page: draw a part of the large picture and search by it.

import { byId, el, show } from "./dom.js";
import { boxText } from "./state.js";
import { Region } from "./region.js";

export class Cut {
  constructor(canvas, id) {
    Object.assign(this, { canvas, holder: el("div", { class: "part-of", hidden: true }) });
    byId("sheet").append(this.holder);
    this.region = new Region(this.holder, (box) => { if (box) location.assign(`/?id=${encodeURIComponent(id)}&box=${boxText(box)}`); }, (said) => { byId("part-said").textContent = said; });
    new ResizeObserver(() => this.fit()).observe(canvas);
    byId("part").addEventListener("click", () => this.toggle());
  }

  get on() { return !this.holder.hidden; }

  toggle() {
    show(this.holder, !this.on);
    byId("part").setAttribute("aria-pressed", String(this.on));
    byId("part-said").textContent = this.on ? "Drag over a part to search by it." : "";
    if (this.on) { this.fit(); this.holder.focus(); } else { this.region.set(null); this.canvas.focus(); }
  }

  // The canvas is wider or higher than the picture in it.
  fit() {
    const { clientWidth: w, clientHeight: h, width, height } = this.canvas;
    const scale = Math.min(w / width, h / height);
    const sides = { width: width * scale, height: height * scale, left: (w - width * scale) / 2, top: (h - height * scale) / 2 };
    for (const [side, value] of Object.entries(sides)) this.holder.style.setProperty(side, `${value}px`);
  }
}
