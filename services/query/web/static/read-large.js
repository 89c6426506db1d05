// A film large beside the one asked with: both enlarge and move together.

import { byId } from "./dom.js";
import { Place, hands } from "./read-view.js";

export class Large {
  constructor(look, turned) {
    Object.assign(this, { look, turned, set: null, at: 0, place: new Place() });
    this.box = byId("large");
    for (const id of ["large-query", "large-film"]) { const shot = byId(id); this.place.shots.add(shot); hands(shot, look, () => this.place); }
    byId("large-back").addEventListener("click", () => this.step(-1));
    byId("large-next").addEventListener("click", () => this.step(1));
    byId("large-choose").addEventListener("click", () => this.choose());
    byId("large-close").addEventListener("click", () => this.box.close());
    this.box.addEventListener("close", () => this.set?.focus(this.at));
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.step(-1);
      else if (event.key === "ArrowRight") this.step(1);
      else if (event.key === " " || event.key === "c") this.choose();
      else if (this.set.graded && /^[0-3]$/.test(event.key)) this.set.grade(this.at, Number(event.key));
      else if (event.key === "i") this.look.invert();
      else if (event.key === "r") { this.look.reset(); this.place.reset(); }
      else return;
      event.preventDefault();
      event.stopPropagation();
      this.press();
    });
  }

  open(set, at) {
    Object.assign(this, { set, at });
    this.place.reset();
    this.draw(byId("large-query"), 0);
    this.box.showModal();
    this.step(0);
  }

  draw(shot, place) {
    const picture = set_picture(this.set, place);
    shot.replaceChildren(picture);
    this.place.draw();
  }

  step(by) {
    this.at = ((this.at - 1 + by + this.set.tiles.length) % this.set.tiles.length) + 1;
    this.draw(byId("large-film"), this.at);
    byId("large-name").textContent = `film ${this.at}`;
    this.press();
  }

  choose() { if (!this.set.graded) this.set.turn(this.at); this.press(); }

  press() {
    byId("large-choose").hidden = this.set.graded;
    byId("large-choose").textContent = this.set.chosen.has(this.at) ? "Take back" : "Choose";
    byId("large-film").classList.toggle("chosen", this.set.chosen.has(this.at));
    if (this.set.graded) byId("large-name").textContent = `film ${this.at}: ${this.set.grades[this.at - 1] ?? "no grade yet"} (keys 0 to 3)`;
  }
}

function set_picture(set, place) {
  const picture = document.createElement("img");
  picture.alt = place ? `Film ${place}` : "The reference film";
  picture.draggable = false;
  picture.src = set.picture(place);
  return picture;
}
