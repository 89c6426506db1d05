// The grid of answers: tiles one after another, or in groups of a patient or study, page after page.

import { byId, el, show } from "./dom.js";
import { Hits, card } from "./cards.js";

export class Grid {
  // further: fetches the next page, when its end comes into sight or the button is pressed.
  constructor(further) {
    Object.assign(this, { place: byId("grid"), more: byId("more"), further, token: "", hits: new Hits(), byId: new Map(), reading: false });
    this.more.addEventListener("click", () => this.next());
    this.sight = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) this.next(); }, { rootMargin: "600px" });
    this.sight.observe(this.more);
  }

  get ids() { return [...this.place.querySelectorAll(".card")].map((tile) => tile.dataset.id); }

  get busy() { return this.place.getAttribute("aria-busy") === "true"; }

  set busy(on) { this.place.setAttribute("aria-busy", String(on)); }

  // why: does each hit say for itself why the mode chose it?
  start(why) { this.end(""); this.hits = new Hits({ marks: true, why }); this.byId = new Map(); this.place.classList.remove("grouped"); }

  empty(text) { this.place.replaceChildren(el("li", { class: "empty" }, text)); }

  // Films without a question.
  films(images, first) { this.fill(images.map((image) => card(image)), first); }

  answer(page, first) {
    for (const hit of page.hits) this.byId.set(hit.image_id, hit);
    const tiles = this.hits.of(page);
    const grouped = page.hits.some((hit) => hit.group);
    this.place.classList.toggle("grouped", grouped);
    if (!grouped) { this.fill(tiles, first); return; }
    if (first) this.place.replaceChildren();
    tiles.forEach((tile, place) => this.group(page.hits[place]).append(tile));
  }

  // The list of a hit's group; a group may begin on one page and end on the next.
  group({ group, image }) {
    const last = this.place.lastElementChild;
    if (last?.dataset.group === group) return last.querySelector("ol");
    const name = group === image.image_id ? "Nobody known" : group.slice(group.indexOf("/") + 1);
    const films = el("ol", { class: "films" });
    this.place.append(el("li", { class: "group", "data-group": group }, el("h3", { title: group }, name.length > 14 ? `${name.slice(0, 13)}…` : name), films));
    return films;
  }

  fill(tiles, first) { if (first) this.place.replaceChildren(...tiles); else this.place.append(...tiles); }

  end(token) {
    this.token = token;
    show(this.more, Boolean(token));
  }

  async next() {
    if (!this.token || this.reading || this.busy) return;
    this.reading = true;
    const token = this.token;
    try { await this.further(token); } finally { this.reading = false; }
    // Still in sight? An observer speaks only when that changes.
    if (this.token && this.token !== token) { this.sight.unobserve(this.more); this.sight.observe(this.more); }
  }
}
