// More like this, less like this: marks gather until the answer is refined by them. Marks of a saved search are kept.

import { byId, el, show, thumbnail } from "./dom.js";
import { call } from "./api.js";

const WAYS = { like: 1, unlike: 0 };
const keyOf = ({ like, unlike }) => (like.length || unlike.length ? `${like}/${unlike}` : "");

export class Marks {
  // refined: ask again with {like, unlike}.  failed: tell of an error.
  constructor(grid, refined, failed) {
    Object.assign(this, { grid, refined, failed, films: new Map(), applied: "", saved: "" });
    byId("refine-now").addEventListener("click", () => this.refine());
    byId("unmark").addEventListener("click", () => { this.forget(); if (this.applied) refined({ like: [], unlike: [] }); else this.press(); });
    grid.addEventListener("click", (event) => {
      const thumb = event.target.closest(".thumb");
      if (thumb) this.turn(thumb.closest(".tile").querySelector(".card").dataset.id, thumb.dataset.way);
    });
  }

  refine() { if (this.key !== this.applied) this.refined(this.lists); }

  get lists() {
    const of = (way) => [...this.films].filter(([, its]) => its === way).map(([id]) => id);
    return { like: of("like"), unlike: of("unlike") };
  }

  get key() { return keyOf(this.lists); }

  // What the answer on the page was refined by; marks that wait for their turn stay. Those of a saved search join.
  show(state) {
    const wanted = keyOf(state);
    if (wanted !== this.applied || state.saved !== this.saved) this.films = new Map([...state.like.map((id) => [id, "like"]), ...state.unlike.map((id) => [id, "unlike"])]);
    this.applied = wanted;
    if (state.saved && this.saved !== state.saved) this.load(state.saved);
    this.saved = state.saved;
    this.press();
  }

  // Another question: nothing is marked yet.
  fresh() { this.films.clear(); this.applied = this.saved = ""; }

  async load(id) {
    try {
      const { marks } = await call(`/v1/searches/${encodeURIComponent(id)}/marks`);
      for (const { image_id: film, grade } of marks) if (!this.films.has(film)) this.films.set(film, grade > 0 ? "like" : "unlike");
      this.press();
    } catch (error) { this.failed(error); }
  }

  turn(id, way) {
    if (this.films.get(id) === way) { this.films.delete(id); this.keep([], [id]); }
    else { this.films.set(id, way); this.keep([{ image_id: id, grade: WAYS[way] }], []); }
    this.press();
  }

  forget() { this.keep([], [...this.films.keys()]); this.films.clear(); }

  async keep(marks, unmark) {
    if (!this.saved || !(marks.length + unmark.length)) return;
    try { await call(`/v1/searches/${encodeURIComponent(this.saved)}:mark`, { marks, unmark }); } catch (error) { this.failed(error); }
  }

  // Everything marked so far, for a search that is saved now.
  async keepAll(id) { this.saved = id; await this.keep([...this.films].map(([image_id, way]) => ({ image_id, grade: WAYS[way] })), []); }

  press() {
    for (const thumb of this.grid.querySelectorAll(".thumb")) {
      const id = thumb.closest(".tile").querySelector(".card").dataset.id;
      const pressed = this.films.get(id) === thumb.dataset.way;
      thumb.setAttribute("aria-pressed", String(pressed));
      thumb.closest(".tile").classList.toggle(thumb.dataset.way, pressed);
    }
    const { like, unlike } = this.lists;
    show(byId("refine"), Boolean(like.length || unlike.length || this.applied));
    show(byId("teach"), like.length > 0);
    byId("teach").href = `/teaching?${new URLSearchParams({ films: like })}`;
    const due = this.key !== this.applied;
    byId("marked").textContent = `${like.length} more like, ${unlike.length} less like${this.applied && !due ? ": refined" : ""}`;
    show(byId("refine-now"), due);
    byId("marked-films").replaceChildren(...[...this.films].map(([id, way]) => el("li", {},
      el("button", { type: "button", class: way, "aria-label": `Take back: ${way === "like" ? "more" : "less"} like this`, title: `${way === "like" ? "more" : "less"} like this; take back`, onclick: () => this.turn(id, way) },
        el("img", { src: thumbnail(id), alt: "" }), way === "like" ? "+" : "−"))));
    show(byId("marked-films"), this.films.size > 0);
  }
}
