// "Where?" on one film: what was searched for, or any words, laid over it; two films lie side by side.

import { byId, el, show } from "./dom.js";
import { explain, layer, legend, opacity } from "./where.js";

export class Spot {
  // back: the address of the results this film was opened from; what was asked there is asked here.
  constructor(id, back) {
    const asked = new URL(back || "/", location.origin).searchParams;
    const other = asked.get("id");
    Object.assign(this, { id, other: other === id ? null : other, model: (asked.get("models") ?? "").split(",")[0], under: null });
    byId("spot-words").value = asked.get("q") ?? "";
    byId("spot").addEventListener("click", () => this.toggle());
    byId("spots").addEventListener("submit", (event) => { event.preventDefault(); this.look(); });
    opacity();
  }

  toggle() {
    const on = byId("spots").hidden;
    show(byId("spots"), on);
    byId("spot").setAttribute("aria-pressed", String(on));
    byId("spots").parentElement.classList.toggle("looking", on);
    if (!on) this.clear();
    else if (byId("spot-words").value.trim() || this.other) this.look();
    else byId("spot-words").focus();
  }

  clear() {
    this.under?.abort();
    this.under = null;
    byId("spot-said").textContent = "";
    for (const made of byId("screen").querySelectorAll(".layer, .sheet.by")) made.remove();
    byId("screen").classList.toggle("pair", Boolean(byId("screen").querySelector(".sheet:not(#sheet)")));
  }

  async look() {
    this.clear();
    const words = byId("spot-words").value.trim();
    const said = byId("spot-said");
    if (!words && !this.other) { said.textContent = "Say what to look for."; return; }
    const mine = (this.under = new AbortController());
    said.textContent = "Looking…";
    try {
      const answer = await explain(this.id, words ? { text: words } : { image_id: this.other }, this.model, mine.signal);
      byId("sheet").append(layer(answer.maps[0]));
      if (answer.maps[1]) this.beside(answer.maps[1]);
      said.textContent = `Similarity ${answer.similarity.toFixed(3)}; the strongest place is worth ${answer.maps[0].high.toFixed(3)}. ${legend(answer)}`;
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = error.message;
    }
  }

  beside(map) {
    const address = `/images/${encodeURIComponent(this.other)}`;
    byId("screen").append(el("div", { class: "sheet by" },
      el("img", { class: "other", src: `/v1${address}/thumbnail`, alt: "The film that was searched by" }), layer(map),
      el("a", { class: "caption", href: address }, "searched by this film")));
    byId("screen").classList.add("pair");
  }
}
