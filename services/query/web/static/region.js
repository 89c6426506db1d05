// A part of a film, drawn with mouse, finger or keys over the picture that `holder` covers exactly. Sides are fractions
// of the film as shown, from its top left corner.

import { el, show } from "./dom.js";

const LEAST = 0.02;
const STEP = 0.02;
const HELP = "Part of the film: drag over it to search by that part. With keys: Enter, then arrows move it, Shift with arrows sizes it, Enter searches, Delete takes it away.";

const within = (value, low, high) => Math.min(high, Math.max(low, value));
const percent = (side) => `${Math.round(side * 100)} %`;

export class Region {
  constructor(holder, chosen, said = () => {}) {
    Object.assign(this, { holder, chosen, said, box: null, from: null });
    this.frame = el("span", { class: "frame", hidden: true });
    holder.append(this.frame);
    for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": HELP })) holder.setAttribute(name, value);
    holder.classList.add("drawn");
    holder.addEventListener("pointerdown", (event) => this.begin(event));
    holder.addEventListener("pointermove", (event) => this.from && this.draw(this.between(this.from, this.at(event))));
    holder.addEventListener("pointerup", () => this.end());
    holder.addEventListener("pointercancel", () => { this.from = null; this.draw(this.kept); });
    holder.addEventListener("keydown", (event) => this.key(event));
    holder.addEventListener("dragstart", (event) => event.preventDefault());
  }

  set(box) { this.kept = box; this.draw(box); }

  at({ clientX, clientY }) {
    const sheet = this.holder.getBoundingClientRect();
    return [within((clientX - sheet.left) / sheet.width, 0, 1), within((clientY - sheet.top) / sheet.height, 0, 1)];
  }

  between([ax, ay], [bx, by]) {
    return { x: Math.min(ax, bx), y: Math.min(ay, by), width: Math.abs(ax - bx), height: Math.abs(ay - by) };
  }

  begin(event) {
    if (event.button) return;
    event.preventDefault();
    this.holder.focus({ preventScroll: true });
    try { this.holder.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    this.from = this.at(event);
  }

  end() {
    if (!this.from) return;
    this.from = null;
    if (this.box && this.box.width >= LEAST && this.box.height >= LEAST) this.commit(this.box);
    else this.draw(this.kept); // a click draws nothing
  }

  draw(box) {
    this.box = box;
    show(this.frame, Boolean(box));
    if (!box) return;
    for (const [side, value] of [["left", box.x], ["top", box.y], ["width", box.width], ["height", box.height]]) this.frame.style.setProperty(side, `${value * 100}%`);
  }

  commit(box) { this.kept = box; this.chosen(box); }

  key(event) {
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") { if (this.box) this.commit(this.box); else this.draw({ x: 0.3, y: 0.3, width: 0.4, height: 0.4 }); }
    else if (way && this.box) this.draw(event.shiftKey ? this.sized(way) : this.shifted(way));
    else if ((event.key === "Delete" || event.key === "Backspace") && this.box) { this.draw(null); this.commit(null); }
    else if (event.key === "Escape" && this.box && this.box !== this.kept) this.draw(this.kept ?? null);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (this.box) this.said(`from ${percent(this.box.x)} to ${percent(this.box.x + this.box.width)} across, from ${percent(this.box.y)} to ${percent(this.box.y + this.box.height)} down`);
  }

  shifted([dx, dy]) {
    const { x, y, width, height } = this.box;
    return { width, height, x: within(x + dx, 0, 1 - width), y: within(y + dy, 0, 1 - height) };
  }

  sized([dx, dy]) {
    const { x, y, width, height } = this.box;
    return { x, y, width: within(width + dx, 2 * LEAST, 1 - x), height: within(height + dy, 2 * LEAST, 1 - y) };
  }
}
