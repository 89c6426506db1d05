// Where in a film a model sees what was asked: a coloured layer over the picture, scaled to its own strongest place.

import { byId, el, show } from "./dom.js";
import { call } from "./api.js";

export const explain = (id, query, model, signal) =>
  call(`/v1/images/${encodeURIComponent(id)}:explain`, { query, model }, signal);

export const layer = (map) => el("img", {
  class: "layer", alt: "", src: `data:${map.layer.content_type};base64,${map.layer.data}`, "data-worth": Math.max(map.high, 0),
});

// What the colours are, and what they are not.
export function legend(answer) {
  const model = answer.provenance.models[0].name;
  return `${model}, by ${answer.method}. Bright: ${answer.unit}. It says what the model uses, not what a disease is.`;
}

// The slider that makes every layer of the page more or less opaque.
export function opacity() {
  const slider = byId("opacity");
  const turn = () => document.documentElement.style.setProperty("--layer", String(slider.value / 100));
  slider.addEventListener("input", turn);
  turn();
}

// The layers of a grid of tiles, made one after another for those in sight, while they are wanted.
export class Tiles {
  constructor(grid) {
    Object.assign(this, { grid, question: null, due: new Set(), under: null, at: null });
    this.sight = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) if (isIntersecting) this.due.add(target); else this.due.delete(target);
      this.work();
    });
    byId("spot").addEventListener("change", () => this.begin());
    opacity();
  }

  // What the tiles now answer: {query, model}, or nothing that can be shown on a film.
  ask(question) {
    this.question = question;
    show(byId("spots"), Boolean(question));
    this.begin();
  }

  toggle() {
    if (!this.question) return;
    byId("spot").checked = !byId("spot").checked;
    this.begin();
  }

  begin() {
    const on = Boolean(this.question) && byId("spot").checked;
    this.under?.abort();
    this.under = on ? new AbortController() : null;
    this.sight.disconnect();
    this.due.clear();
    show(byId("opacity"), on);
    byId("spot-said").textContent = on ? "Looking…" : "";
    for (const old of this.grid.querySelectorAll(".layer")) old.remove();
    if (on) for (const tile of this.grid.querySelectorAll(".card")) this.sight.observe(tile);
  }

  // Side by side, a film that has little of what was asked must not glow like one that has it.
  compare() {
    const layers = [...this.grid.querySelectorAll(".layer")];
    const most = Math.max(...layers.map((one) => Number(one.dataset.worth)), 1e-9);
    for (const one of layers) one.style.setProperty("--share", String(one.dataset.worth / most));
  }

  async work() {
    const mine = this.under;
    if (!mine || this.at === mine) return;
    this.at = mine;
    try {
      for (const tile of this.due) {
        this.due.delete(tile);
        this.sight.unobserve(tile);
        const answer = await explain(tile.dataset.id, this.question.query, this.question.model, mine.signal);
        tile.querySelector(".shot").append(layer(answer.maps[0]));
        this.compare();
        byId("spot-said").textContent = `${legend(answer)} Faint: worth less on that film than on others here.`;
      }
    } catch (error) {
      if (error.name !== "AbortError") { byId("spot-said").textContent = error.message; this.sight.disconnect(); }
    }
    if (this.at === mine) this.at = null;
  }
}
