// Films put in order by drag, with mouse or finger; by keys it is Alt with the arrows.

const FAR = 6; // pixels before a press is a drag

export class Sorter {
  // dropped(key, before): put the film before that one; before is empty for the end.
  constructor(strip, dropped) {
    Object.assign(this, { strip, dropped, ending: new AbortController() });
    const { signal } = this.ending;
    strip.classList.add("sorting");
    strip.addEventListener("pointerdown", (event) => this.begin(event), { signal });
    addEventListener("pointermove", (event) => this.move(event), { signal });
    addEventListener("pointerup", (event) => this.drop(event), { signal });
    addEventListener("pointercancel", () => this.clear(), { signal });
  }

  end() { this.ending.abort(); this.strip.classList.remove("sorting"); }

  begin(event) {
    const tile = event.target.closest("li[data-key]");
    if (tile && !event.button) this.held = { tile, x: event.clientX, y: event.clientY, moving: false };
  }

  move(event) {
    if (!this.held) return;
    if (!this.held.moving && Math.hypot(event.clientX - this.held.x, event.clientY - this.held.y) < FAR) return;
    this.held.moving = true;
    this.held.tile.classList.add("dragged");
    this.mark(this.under(event));
  }

  // The film that the dragged one would stand before; null behind all of them.
  under({ clientX, clientY }) {
    const tiles = [...this.strip.querySelectorAll("li[data-key]")];
    const boxes = tiles.map((tile) => tile.getBoundingClientRect());
    const row = boxes.findIndex((box) => clientY < box.bottom && clientX < box.left + box.width / 2 && clientY > box.top - 12);
    return row === -1 ? null : tiles[row];
  }

  mark(tile) {
    for (const one of this.strip.querySelectorAll(".before")) one.classList.remove("before");
    tile?.classList.add("before");
  }

  drop(event) {
    const held = this.held;
    if (!held?.moving) { this.clear(); return; }
    const before = this.under(event);
    this.clear();
    addEventListener("click", (click) => { click.stopPropagation(); click.preventDefault(); }, { capture: true, once: true, signal: AbortSignal.timeout(50) });
    if (before !== held.tile) this.dropped(held.tile.dataset.key, before?.dataset.key ?? "");
  }

  clear() { this.mark(null); this.held?.tile.classList.remove("dragged"); this.held = null; }
}
