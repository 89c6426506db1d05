// One set on the screen: the film asked with, the candidates, and what is chosen of them.

import { byId, el } from "./dom.js";
import { Place, hands } from "./read-view.js";

const AGAIN = 1000; // milliseconds
const GRADES = ["not at all", "a little", "much", "as the same"];

export class Set_ {
  // base: address of the reader's set.  changed(): something was chosen or graded.  ready(): all pictures are there.
  // missed(place): one did not come.
  constructor({ base, set, kind, choose, look, large, changed, ready, missed }) {
    Object.assign(this, { base, set, kind, choose, look, changed, large });
    this.graded = kind === "grades";
    this.chosen = new globalThis.Set(set.chosen);
    this.grades = set.grades.length ? [...set.grades] : Array(set.films).fill(null);
    this.places = Array.from({ length: set.films + 1 }, () => new Place());
    this.left = set.films + 1;
    Object.assign(this, { ready, missed });
    this.show(byId("query"), 0);
    this.tiles = Array.from({ length: set.films }, (_, n) => this.tile(n + 1));
    byId("films").replaceChildren(...this.tiles);
    byId("films").classList.toggle("graded", this.graded);
    byId("set").classList.toggle("few", set.films < 4);
    this.press();
  }

  picture(place) { return `${this.base}/pictures/${place}`; }

  show(shot, place) {
    const picture = el("img", { alt: place ? `Film ${place}` : "The reference film", draggable: "false" });
    picture.addEventListener("load", () => { this.left -= 1; if (!this.left) this.ready(); }, { once: true });
    // Away from the server: asked for again until it comes, or another set is shown.
    picture.addEventListener("error", () => {
      this.changed("Waiting for the films");
      setTimeout(() => { if (picture.isConnected) { this.missed(place); picture.src = this.picture(place); } }, AGAIN);
    });
    picture.src = this.picture(place);
    shot.replaceChildren(picture);
    this.places[place].shots.add(shot);
    this.places[place].draw();
    if (!shot.held) { shot.held = hands(shot, this.look, () => shot.place()); }
    shot.place = () => this.places[place];
    return shot;
  }

  tile(place) {
    const shot = this.show(el("span", { class: "shot" }), place);
    const key = place < 11 ? place % 10 : "";
    const pick = el("button", { type: "button", class: "pick", "data-place": String(place), "aria-label": `Film ${place}` }, shot, el("span", { class: "badge rank" }, this.graded ? place : key || place), el("span", { class: "tick", "aria-hidden": "true" }, "✓"));
    pick.addEventListener("click", () => { if (!shot.held() && !this.graded) this.turn(place); });
    const look = el("button", { type: "button", class: "look", "aria-label": `Show film ${place} large`, title: "large (L)", onclick: () => this.large(place) }, "⤢");
    return el("li", {}, pick, look, this.graded && el("div", { class: "marks-of", role: "radiogroup", "aria-label": `Film ${place}` }, GRADES.map((said, grade) =>
      el("button", { type: "button", role: "radio", class: "grade", "data-grade": String(grade), title: said, "aria-label": `Film ${place}: ${said}`, onclick: () => this.grade(place, grade) }, grade))));
  }

  turn(place) {
    if (this.chosen.has(place)) this.chosen.delete(place);
    else {
      if (this.choose === 1) this.chosen.clear();
      if (this.chosen.size === this.choose) { this.changed(`${this.choose} are chosen: take one back first`); return; }
      this.chosen.add(place);
    }
    this.press();
    this.changed();
  }

  grade(place, grade) { this.grades[place - 1] = grade; this.press(); this.changed(); }

  press() {
    this.tiles.forEach((tile, n) => {
      const pick = tile.querySelector(".pick");
      if (!this.graded) pick.setAttribute("aria-pressed", String(this.chosen.has(n + 1)));
      for (const button of tile.querySelectorAll(".grade")) button.setAttribute("aria-checked", String(Number(button.dataset.grade) === this.grades[n]));
      tile.classList.toggle("given", this.graded && this.grades[n] !== null);
    });
  }

  get done() { return this.graded ? this.grades.filter((grade) => grade !== null).length : this.chosen.size; }

  get wanted() { return this.graded ? this.set.films : this.choose; }

  get answer() { return this.graded ? { grades: this.grades } : { chosen: [...this.chosen].sort((a, b) => a - b) }; }

  get same() {
    const kept = this.graded ? this.set.grades : this.set.chosen;
    return this.set.answered && JSON.stringify(this.graded ? this.answer.grades : this.answer.chosen) === JSON.stringify(kept);
  }

  reset() { for (const place of this.places) place.reset(); }

  // The film that has the focus; where there is none, for grades the first that has none.
  get current() {
    const focused = Number(document.activeElement?.closest?.("#films li")?.querySelector(".pick").dataset.place ?? 0);
    return focused || (this.graded ? this.grades.indexOf(null) + 1 || 1 : 0);
  }

  focus(place) { this.tiles[Math.min(this.tiles.length, Math.max(1, place)) - 1].querySelector(".pick").focus(); }

  // As large as the room allows, all on one screen.
  arrange() {
    const list = byId("films");
    const style = getComputedStyle(list);
    const gap = parseFloat(style.columnGap) || 0;
    const [wide, high, under] = [list.clientWidth, list.clientHeight, this.graded ? 50 : 0];
    let best = { side: 0, columns: 1 };
    for (let columns = 1; columns <= this.tiles.length; columns += 1) {
      const rows = Math.ceil(this.tiles.length / columns);
      const side = Math.min((wide - gap * (columns - 1)) / columns, (high - gap * (rows - 1)) / rows - under);
      if (side > best.side) best = { side, columns };
    }
    this.columns = best.columns;
    list.style.setProperty("--columns", String(best.columns));
    list.style.setProperty("--side", `${Math.floor(Math.max(best.side, 96))}px`);
    for (const place of this.places) place.draw();
  }
}
