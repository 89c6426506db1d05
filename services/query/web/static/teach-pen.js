// Marks drawn on a film by the pointer: arrow, circle, rectangle, polygon, words. A mark that is there is taken and
// moved, or one of its points is. By keys: a tool, Enter, then arrows move the mark, and with Shift its last point.

import { el } from "./dom.js";
import { svg } from "./teach-marks.js";

const TOOLS = [["arrow", "Arrow", "A"], ["circle", "Circle", "C"], ["rectangle", "Box", "R"], ["polygon", "Polygon", "P"], ["text", "Words", "T"]];
const HELP = {
  arrow: "Drag from tail to tip.", circle: "Drag from the middle outwards.", rectangle: "Drag from corner to corner.",
  polygon: "Click the corners; double-click, Enter or the first corner ends it.", text: "Click where the words begin.",
};
const LEAST = 0.01; // of the film: less is a click
const STEP = 0.005;
const FIRST = { arrow: [[0.4, 0.4], [0.5, 0.5]], circle: [[0.5, 0.5]], rectangle: [[0.4, 0.4], [0.6, 0.6]], polygon: [[0.4, 0.6], [0.5, 0.4], [0.6, 0.6]], text: [[0.5, 0.5]] }; // drawn by keys
const MOST = 100, CORNERS = 200;

const within = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;
const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

export class Pen {
  // step: something is about to change.  changed: it has.  undo.
  constructor(stage, place, acts) {
    Object.assign(this, { stage, place, acts, tool: "", image: null, ending: new AbortController(), live: null, held: null });
    this.buttons = new Map(TOOLS.map(([tool, name, key]) => [tool, el("button", { type: "button", class: "button small-button", "data-tool": tool, "aria-pressed": "false", title: `${HELP[tool]} (${key})`, onclick: () => this.take(this.tool === tool ? "" : tool) }, name)]));
    this.back = el("button", { type: "button", class: "link", id: "undo", title: "Ctrl Z", onclick: acts.undo }, "undo");
    this.away = el("button", { type: "button", class: "link", title: "Delete", onclick: () => this.drop(this.stage.chosen) }, "take away");
    this.said = el("span", { class: "quiet small pen-said", role: "status" });
    place.replaceChildren(...this.buttons.values(), this.away, this.back, this.said);
    const { signal } = this.ending, { over } = stage;
    over.classList.add("pen");
    over.addEventListener("pointerdown", (event) => this.begin(event), { signal });
    over.addEventListener("pointermove", (event) => this.move(event), { signal });
    over.addEventListener("pointerup", () => this.finish(), { signal });
    over.addEventListener("pointercancel", () => { this.live = this.held = null; this.draw(); }, { signal });
    over.addEventListener("dblclick", (event) => { event.preventDefault(); this.close(); }, { signal });
    this.take("");
  }

  end() { this.ending.abort(); this.stage.over.classList.remove("pen", "drawing"); this.place.replaceChildren(); }

  undoable(can) { this.back.disabled = !can; }

  // The film whose marks are drawn.
  on(image) { Object.assign(this, { image, live: null, held: null }); this.stage.chosen = -1; this.take(""); }

  get marks() { return this.image?.annotations ?? []; }

  get chosen() { return this.marks[this.stage.chosen]; }

  take(tool) {
    Object.assign(this, { tool, live: null });
    for (const [name, button] of this.buttons) button.setAttribute("aria-pressed", String(name === tool));
    this.stage.over.classList.toggle("drawing", Boolean(tool));
    this.said.textContent = HELP[tool] ?? "";
    if (tool) this.stage.chosen = -1;
    this.draw();
  }

  choose(n) { if (this.stage.chosen !== n) { this.stage.chosen = n; this.draw(); } }

  begin(event) {
    if (event.button || !this.image) return;
    event.preventDefault();
    const at = this.stage.at(event);
    if (!this.tool) { this.grasp(event, at); return; }
    this.hold(event);
    if (this.tool === "text") { this.put({ kind: "text", points: [at], radius: 0, text: "" }); return; }
    if (this.tool !== "polygon") { this.live = { kind: this.tool, points: [at, at], radius: 0, text: "" }; return; }
    this.live ??= { kind: "polygon", points: [], radius: 0, text: "", at };
    const { points } = this.live;
    if (points.length > 2 && apart(at, points[0]) < 2 * LEAST) { this.close(); return; }
    if (points.length < CORNERS && (!points.length || apart(at, points.at(-1)) > LEAST / 2)) points.push(at);
    this.draw();
  }

  hold(event) { try { this.stage.over.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ } }

  // A mark that is there, or a point of it.
  grasp(event, at) {
    const dot = event.target.closest("[data-dot]"), group = event.target.closest("[data-n]");
    if (!dot && !group) { this.choose(-1); return; }
    this.hold(event);
    if (group) this.choose(Number(group.dataset.n));
    this.held = { at, dot: dot ? Number(dot.dataset.dot) : -1, before: structuredClone(this.chosen), stepped: false };
  }

  move(event) {
    const at = this.stage.at(event);
    if (this.live) {
      if (this.tool === "polygon") this.live.at = at; else this.live.points[1] = at;
      this.draw();
    } else if (this.held) {
      if (!this.held.stepped) { if (apart(at, this.held.at) < LEAST / 2) return; this.acts.step(); this.held.stepped = true; }
      this.shape(this.held.before, this.held.dot, at.x - this.held.at.x, at.y - this.held.at.y);
      this.draw();
    }
  }

  finish() {
    if (this.held) { const { stepped } = this.held; this.held = null; if (stepped) this.acts.changed(); return; }
    if (!this.live || this.tool === "polygon") return;
    const [from, to] = this.live.points;
    const done = this.live;
    this.live = null;
    if (apart(from, to) < LEAST) { this.draw(); return; }
    if (done.kind === "circle") Object.assign(done, { points: [from], radius: this.radius(from, to) });
    this.put(done);
  }

  // Of a circle about `from` through `to`, as a fraction of the film's width.
  radius(from, to) { return Math.min(1, Math.round(Math.hypot(to.x - from.x, ((to.y - from.y) * this.stage.height) / this.stage.width) * 1e4) / 1e4); }

  close() {
    if (this.tool !== "polygon" || !this.live) return;
    const { points } = this.live;
    this.live = null;
    if (points.length > 2) this.put({ kind: "polygon", points, radius: 0, text: "" }); else this.draw();
  }

  put(mark) {
    if (this.marks.length >= MOST) { this.take(""); this.said.textContent = `A film has at most ${MOST} marks.`; return; }
    this.acts.step();
    this.marks.push(mark);
    this.take("");
    this.stage.chosen = this.marks.length - 1;
    this.draw();
    this.acts.changed();
    if (mark.kind === "text") document.querySelector(`[data-mark="${this.stage.chosen}"]`)?.focus();
  }

  // The chosen mark as it was, moved, or with one point moved.
  shape(before, dot, dx, dy) {
    const mark = this.chosen;
    const moved = ({ x, y }) => ({ x: within(x + dx), y: within(y + dy) });
    if (dot === -1) {
      // As far as the whole of it stays on the film.
      const room = (side, by) => Math.min(...before.points.map((one) => 1 - one[side]), Math.max(by, -Math.min(...before.points.map((one) => one[side]))));
      const [mx, my] = [room("x", dx), room("y", dy)];
      mark.points = before.points.map(({ x, y }) => ({ x: within(x + mx), y: within(y + my) }));
    } else if (before.kind === "circle") mark.radius = Math.max(LEAST, within(before.radius + dx));
    else mark.points = before.points.map((point, n) => (n === dot ? moved(point) : point));
  }

  drop(n) {
    if (!this.marks[n]) return;
    this.acts.step();
    this.marks.splice(n, 1);
    this.stage.chosen = -1;
    this.draw();
    this.acts.changed();
  }

  draw() {
    const { width, height } = this.stage;
    if (!width) return;
    this.stage.marks = this.marks;
    const extra = [];
    if (this.live) {
      const points = this.live.kind === "polygon" ? [...this.live.points, this.live.at] : this.live.points;
      const [from, to] = points, scaled = points.map(({ x, y }) => `${x * width},${y * height}`).join(" ");
      const box = { x: Math.min(from.x, to.x) * width, y: Math.min(from.y, to.y) * height, width: Math.abs(from.x - to.x) * width, height: Math.abs(from.y - to.y) * height };
      extra.push(this.live.kind === "circle" ? svg("circle", { class: "live", cx: from.x * width, cy: from.y * height, r: this.radius(from, to) * width })
        : this.live.kind === "rectangle" ? svg("rect", { class: "live", ...box }) : svg("polyline", { class: "live", points: scaled }));
    }
    const mark = this.chosen;
    if (mark) {
      const dots = mark.kind === "circle" ? [{ x: mark.points[0].x + mark.radius, y: mark.points[0].y }] : mark.points;
      extra.push(...dots.map(({ x, y }, n) => svg("circle", { class: "dot", "data-dot": n, cx: x * width, cy: y * height, r: width / 64 })));
    }
    this.stage.draw(extra);
    this.away.hidden = !mark;
  }

  // True when the key was ours.
  key(event) {
    const tool = TOOLS.find(([, , key]) => key.toLowerCase() === event.key.toLowerCase())?.[0];
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (tool) this.take(this.tool === tool ? "" : tool);
    else if (event.key === "Escape" && (this.tool || this.chosen)) { this.take(""); this.choose(-1); }
    else if (event.key === "Enter" && this.live) this.close();
    else if (event.key === "Enter" && this.tool && this.image) this.put({ kind: this.tool, points: FIRST[this.tool].map(([x, y]) => ({ x, y })), radius: this.tool === "circle" ? 0.1 : 0, text: "" });
    else if ((event.key === "Delete" || event.key === "Backspace") && this.chosen) this.drop(this.stage.chosen);
    else if (way && this.chosen) { this.acts.step(); this.shape(structuredClone(this.chosen), event.shiftKey ? this.chosen.points.length - 1 : -1, ...way); this.draw(); this.acts.changed(); }
    else return false;
    event.preventDefault();
    return true;
  }
}
