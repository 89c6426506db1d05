// How films are looked at: one window and level for all of them, and a place and size for each.
//
// A drag changes the window, two fingers or the wheel enlarge, a drag with Shift or the middle button moves what is
// enlarged. Whatever was a drag is no click.

const FULL = { width: 255, centre: 127.5, inverted: false };
const FAR = 8; // pixels that make a drag of a touch
const MOST = 8;

export class Window {
  constructor(changed) {
    Object.assign(this, { changed, ...FULL });
    this.parts = document.querySelectorAll("#window feComponentTransfer > *");
  }

  draw() {
    const sign = this.inverted ? -1 : 1;
    const slope = (sign * 255) / this.width;
    const intercept = 0.5 - (sign * this.centre) / this.width;
    for (const part of this.parts) { part.setAttribute("slope", slope); part.setAttribute("intercept", intercept); }
    const moved = this.width !== FULL.width || this.centre !== FULL.centre || this.inverted;
    document.body.classList.toggle("windowed", moved);
    this.changed(moved ? `W ${Math.round(this.width)} L ${Math.round(this.centre)}${this.inverted ? " inverted" : ""}` : "");
  }

  change(width, centre) {
    this.width = Math.min(512, Math.max(2, this.width + width));
    this.centre = Math.min(255, Math.max(0, this.centre + centre));
    this.draw();
  }

  invert() { this.inverted = !this.inverted; this.draw(); }

  reset() { Object.assign(this, FULL); this.draw(); }
}

// Where in its frame a film stands; several frames may share one.
export class Place {
  constructor() { Object.assign(this, { scale: 1, x: 0, y: 0, shots: new Set() }); }

  draw() {
    for (const shot of this.shots) {
      const picture = shot.querySelector("img");
      if (picture) picture.style.transform = this.scale === 1 ? "" : `translate(${this.x * shot.clientWidth}px, ${this.y * shot.clientHeight}px) scale(${this.scale})`;
    }
  }

  // x, y: fractions of the frame from its middle that stay where they are.
  zoom(by, x, y) {
    const scale = Math.min(MOST, Math.max(1, this.scale * by));
    const grown = scale / this.scale;
    this.move(x - (x - this.x) * grown - this.x, y - (y - this.y) * grown - this.y, scale);
  }

  move(x, y, scale = this.scale) {
    const most = (scale - 1) / 2;
    const held = (value) => Math.min(most, Math.max(-most, value));
    Object.assign(this, { scale, x: held(this.x + x), y: held(this.y + y) });
    this.draw();
  }

  reset() { Object.assign(this, { scale: 1, x: 0, y: 0 }); this.draw(); }
}

// Hands on a frame. look: the window of all.  place(): where its film stands.  Returns whether the last touch was a drag.
export function hands(shot, look, place) {
  const fingers = new Map();
  let far = false;
  const at = (x, y) => { const box = shot.getBoundingClientRect(); return [(x - box.left) / box.width - 0.5, (y - box.top) / box.height - 0.5]; };
  const spread = () => { const [a, b] = [...fingers.values()]; return { wide: Math.hypot(a.x - b.x, a.y - b.y) || 1, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }; };

  shot.addEventListener("pointerdown", (event) => {
    if (!fingers.size) far = false;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, from: [event.clientX, event.clientY] });
    if (event.button === 1) event.preventDefault();
  });
  shot.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const before = fingers.size === 2 ? spread() : null;
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    const gone = Math.hypot(event.clientX - finger.from[0], event.clientY - finger.from[1]);
    if (!far && gone < FAR && fingers.size < 2) return;
    if (!far) { far = true; shot.setPointerCapture(event.pointerId); }
    Object.assign(finger, { x: event.clientX, y: event.clientY });
    if (before) {
      const now = spread();
      place().zoom(now.wide / before.wide, ...at(now.x, now.y));
      place().move((now.x - before.x) / shot.clientWidth, (now.y - before.y) / shot.clientHeight);
    } else if (event.shiftKey || event.buttons === 4) place().move(dx / shot.clientWidth, dy / shot.clientHeight);
    else look.change(dx * 0.6, dy * 0.4);
  });
  for (const end of ["pointerup", "pointercancel"]) shot.addEventListener(end, (event) => { fingers.delete(event.pointerId); });
  shot.addEventListener("wheel", (event) => { event.preventDefault(); place().zoom(Math.exp(-event.deltaY / 400), ...at(event.clientX, event.clientY)); }, { passive: false });
  shot.addEventListener("dblclick", () => place().reset());
  return () => far;
}
