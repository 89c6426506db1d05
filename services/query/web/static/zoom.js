// A closer look: all films on the screen under one zoom, about the place where the pointer or the fingers are.

const MOST = 8;
const STEP = 1.25;
const between = (low, value, high) => Math.min(high, Math.max(low, value));

export class Zoom {
  // screen: holds the sheets.  told: shows how large.
  constructor(screen, told) {
    Object.assign(this, { screen, told, scale: 1, x: 0, y: 0, fingers: new Map(), held: false });
    screen.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls; a pinch on a touchpad comes with Ctrl
      event.preventDefault();
      this.by(Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    const early = { capture: true }; // before window and level
    screen.addEventListener("pointerdown", (event) => this.down(event), early);
    screen.addEventListener("pointermove", (event) => this.move(event), early);
    for (const end of ["pointerup", "pointercancel"]) screen.addEventListener(end, (event) => this.up(event), early);
  }

  // at: {clientX, clientY, target}; the middle of a film without.
  by(factor, at = null) {
    const rect = (at?.target?.closest?.(".sheet") ?? this.screen.firstElementChild).getBoundingClientRect();
    const [px, py] = at ? [at.clientX - rect.x - rect.width / 2, at.clientY - rect.y - rect.height / 2] : [0, 0];
    const before = this.scale;
    this.scale = between(1, before * factor, MOST);
    const grown = this.scale / before;
    this.to(px - (px - this.x) * grown, py - (py - this.y) * grown, rect);
  }

  closer() { this.by(STEP); }

  further() { this.by(1 / STEP); }

  pan(dx, dy) { this.to(this.x + dx, this.y + dy, this.screen.firstElementChild.getBoundingClientRect()); }

  reset() { this.by(1 / MOST); }

  to(x, y, { width, height }) {
    const most = [(this.scale - 1) * width / 2, (this.scale - 1) * height / 2];
    this.x = between(-most[0], x, most[0]);
    this.y = between(-most[1], y, most[1]);
    const { style } = this.screen;
    style.setProperty("--zoom", this.scale);
    style.setProperty("--x", `${this.x}px`);
    style.setProperty("--y", `${this.y}px`);
    this.told.textContent = this.scale > 1 ? `${this.scale.toFixed(1)}×` : "";
  }

  // Two fingers, the middle button, or Shift: the film is moved, and its window is let alone until all are up.
  down(event) {
    this.fingers.set(event.pointerId, event);
    if (event.pointerType === "touch" ? this.fingers.size < 2 : event.button !== 1 && !(event.shiftKey && this.scale > 1)) return;
    this.held = true;
    event.preventDefault();
    event.stopPropagation();
    this.screen.setPointerCapture(event.pointerId);
  }

  move(event) {
    const was = this.fingers.get(event.pointerId);
    if (!was || !this.held) return;
    event.stopPropagation();
    const other = [...this.fingers.values()].find((finger) => finger !== was);
    const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    if (other) this.by(apart(event) / Math.max(1, apart(was)), { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2, target: event.target });
    const share = other ? 0.5 : 1;
    this.pan((event.clientX - was.clientX) * share, (event.clientY - was.clientY) * share);
    this.fingers.set(event.pointerId, event);
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    if (!this.fingers.size) this.held = false;
  }
}
