// The films of a case: one large, the others in a strip below it, in order and under the headings of their sections.

import { el, show, thumbnail, typing } from "./dom.js";
import { Stage } from "./teach-stage.js";

export const pictureOf = (fileId, version) => (image) => (image.image_id ? thumbnail(image.image_id)
  : `/v1/teachingFiles/${encodeURIComponent(fileId)}/pictures/${encodeURIComponent(image.key)}?version=${version}`);

// Images as they are read: those before all sections, then section by section.
export function inOrder(images, sections = []) {
  return ["", ...sections.map((one) => one.key)].flatMap((key) => images.filter((one) => (one.section ?? "") === key));
}

export class Films {
  // turned(image, place): another film is large now.
  constructor(place, { turned = () => {} } = {}) {
    const make = (name, label, key, act, more = {}) => el("button", { type: "button", class: "link", title: key, onclick: act, ...more }, label);
    const holder = el("div", { class: "stage" });
    this.said = el("output");
    this.count = el("span", { class: "film-count" });
    this.turns = el("span", {}, make("before", "‹ film", "←", () => this.go(-1)), " ", this.count, " ", make("after", "film ›", "→", () => this.go(1)));
    this.bare = make("marks", "marks", "M", () => this.hideMarks(), { "aria-pressed": "true" });
    this.strip = el("ol", { class: "strip case-strip", "aria-label": "Films of the case" });
    this.stage = new Stage(holder, (told) => { this.said.textContent = told; });
    Object.assign(this, { turned, images: [], at: 0, lettered: true });
    place.replaceChildren(holder,
      el("p", { class: "under" }, this.turns, el("span", { class: "tools" }, this.said, this.bare, make("invert", "invert", "I", () => this.stage.viewer?.invert()), make("reset", "reset", "0", () => this.stage.viewer?.reset()))),
      this.strip);
    this.strip.addEventListener("click", (event) => {
      const tile = event.target.closest("[data-place]");
      if (tile) this.open(Number(tile.dataset.place));
    });
  }

  // picture: image → its address.  key: which film is to be large.
  fill(images, sections, picture, key) {
    Object.assign(this, { images: inOrder(images, sections), picture, sections });
    const telling = this.images.some((image) => !image.key_note); // where all are key images, none stands out
    const named = new Map(sections.map((one) => [one.key, one.heading]));
    const tiles = this.images.map((image, place) => el("li", { "data-key": image.key },
      (place === 0 || image.section !== this.images[place - 1].section) && named.get(image.section) && el("span", { class: "strip-head" }, named.get(image.section)),
      el("button", { type: "button", class: "strip-film", "data-place": place, "aria-label": `Film ${place + 1}${image.caption ? `: ${image.caption}` : ""}` },
        el("img", { src: picture(image), alt: "", loading: "lazy", draggable: "false" }), telling && image.key_note && el("span", { class: "badge key-mark", title: "key image" }, "key"), el("span", { class: "badge rank" }, String(place + 1)))));
    this.strip.replaceChildren(...tiles);
    for (const one of [this.strip, this.turns]) show(one, this.images.length > 1);
    show(this.bare, this.images.some((image) => image.annotations?.length));
    const at = this.images.findIndex((image) => image.key === key);
    if (this.images.length) return this.open(at === -1 ? 0 : at);
    this.stage.plate.replaceChildren(el("p", { class: "quiet missing" }, "This case shows no film that you may see."));
    return Promise.resolve(false);
  }

  get shown() { return this.images[this.at]; }

  open(place) {
    this.at = Math.min(this.images.length - 1, Math.max(0, place));
    const image = this.shown;
    this.count.textContent = `${this.at + 1} of ${this.images.length}`;
    for (const tile of this.strip.querySelectorAll("[data-place]")) {
      if (Number(tile.dataset.place) === this.at) { tile.setAttribute("aria-current", "true"); this.reach(tile.parentElement); } else tile.removeAttribute("aria-current");
    }
    this.turned(image, this.at);
    return this.stage.show(this.picture(image), `Film ${this.at + 1} of ${this.images.length}`, image.annotations ?? []);
  }

  // Into sight within the strip: the page itself stays where it is.
  reach(tile) {
    const { offsetLeft: left, offsetWidth: wide } = tile;
    if (left < this.strip.scrollLeft || left + wide > this.strip.scrollLeft + this.strip.clientWidth) this.strip.scrollLeft = left - (this.strip.clientWidth - wide) / 2;
  }

  go(by) { if (this.images[this.at + by]) this.open(this.at + by); }

  hideMarks() { this.stage.marksOff(); this.bare.setAttribute("aria-pressed", String(!this.stage.bare)); }

  // True when the key was ours.
  key(event) {
    if (typing(event)) return false;
    const acts = { arrowleft: () => this.go(-1), arrowright: () => this.go(1), 0: () => this.stage.viewer?.reset(), i: () => this.stage.viewer?.invert(), m: () => this.hideMarks() };
    const act = acts[event.key.toLowerCase()];
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }
}
