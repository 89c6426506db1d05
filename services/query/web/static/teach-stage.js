// One film large, in greys: window and level by drag, marks over it.

import { el } from "./dom.js";
import { Viewer } from "./viewer.js";
import { drawing, svg } from "./teach-marks.js";

export class Stage {
  // told: what window and level are now, in words.
  constructor(holder, told) {
    Object.assign(this, { holder, told, viewer: null, width: 0, height: 0, bare: false, marks: [], chosen: -1, over: svg("svg", { class: "marks-over", "aria-hidden": "true" }) });
    this.plate = el("div", { class: "plate" });
    holder.replaceChildren(this.plate);
  }

  // Resolves when the film is there, with whether it could be had.
  show(url, name, marks) {
    Object.assign(this, { marks, chosen: -1, viewer: null });
    const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": `${name}. Drag to change window and level; 0 resets, I inverts.` });
    const picture = new Image();
    const mine = (this.picture = picture);
    return new Promise((resolve) => {
      picture.onload = () => {
        if (this.picture !== mine) return;
        Object.assign(this, { width: picture.naturalWidth, height: picture.naturalHeight });
        this.plate.style.setProperty("--ratio", String(this.width / this.height));
        this.over.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
        this.plate.replaceChildren(canvas, this.over);
        this.viewer = new Viewer(canvas, picture, ({ width, centre, changed }) => this.told(changed ? `W ${Math.round(width)} L ${Math.round(centre)}` : ""));
        this.draw();
        resolve(true);
      };
      picture.onerror = () => {
        if (this.picture !== mine) return;
        this.plate.replaceChildren(el("p", { class: "quiet missing" }, "There is no picture of this film here."));
        resolve(false);
      };
      picture.src = url;
    });
  }

  draw(extra = []) { this.over.replaceChildren(...(this.bare ? [] : drawing(this.marks, this.width, this.height, this.chosen)), ...extra); }

  marksOff(off = !this.bare) { this.bare = off; this.draw(); }

  // Where a pointer is, in fractions of the film.
  at({ clientX, clientY }) {
    const sheet = this.plate.getBoundingClientRect();
    const within = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;
    return { x: within((clientX - sheet.left) / sheet.width), y: within((clientY - sheet.top) / sheet.height) };
  }
}
