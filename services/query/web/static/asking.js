// One question to the service and everything its answer fills: films, status, priors, banner, provenance.

import { byId, el, plural, show } from "./dom.js";
import { Failure, call } from "./api.js";
import { ofFinding, request } from "./state.js";
import { priors } from "./priors.js";
import { provenance } from "./provenance.js";
import { reading } from "./reading.js";
import { answer as kept, keep } from "./seen.js";

const BROWSED = 48;
const NONE_NEAR = "No film of this archive is near enough to be called similar: these are only the nearest there are.";
const SAY_WHY = ["lookalike", "disagree"]; // modes that have something to say of each film
const status = byId("status");
const sentence = (note) => `${note[0].toUpperCase()}${note.slice(1)}.`.replaceAll("`", "");
const address = () => location.pathname + location.search;

// What can be shown on a film: one stored film, or words.
const onFilms = (query) => Boolean(query?.text || query?.image_id);

// Whoever chose no model sees which one answered.
function answered(names, unasked) {
  for (const input of document.querySelectorAll("input[name=model]")) input.closest(".pill").classList.toggle("answers", unasked && names.includes(input.value));
}

export class Asking {
  // parts: {grid, tiles, filter, marks, whyNot}.  plain(on): take words as typed, or understand them.
  constructor(parts, plain) {
    Object.assign(this, parts, { plain, under: null, shown: 0 });
    this.last = kept()?.back === address() ? kept().at : null; // the film that one comes back from
  }

  async ask(state, upload) {
    this.under?.abort();
    const mine = (this.under = new AbortController());
    const sent = request(state, upload);
    Object.assign(this, { state, upload, sent });
    this.grid.busy = true;
    this.grid.start(SAY_WHY.includes(state.mode));
    this.filter.refuse("");
    for (const id of ["alert", "nothing", "notes", "priors", "reading"]) show(byId(id), false);
    this.whyNot.about(null);
    status.textContent = state.id || upload ? "Looking for similar films…" : "Looking…";
    try {
      if (ofFinding(state) && !state.finding) throw new Failure("", "Choose the finding whose typical or atypical films are wanted.");
      if (state.run) await this.search(call(`/v1/searches/${encodeURIComponent(state.run)}:run`, {}, mine.signal));
      else if (sent) await this.search(call("/v1/search", sent, mine.signal));
      else await this.browse(mine.signal);
    } catch (error) { this.fail(error); }
    if (this.under === mine) this.grid.busy = false;
  }

  async search(answering) {
    const { state, sent } = this;
    const answer = await answering;
    const own = answer.priors.length && state.id ? await call(`/v1/images/${encodeURIComponent(state.id)}`) : null;
    this.shown = 0;
    this.page(answer, true);
    const { models, exact, elapsed_ms: took, notes } = answer.provenance;
    const by = `by ${models.map((model) => model.name).join(" + ")} in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms${exact ? ", compared with every film" : ""}`;
    answered(models.map((model) => model.name), state.models.length === 0);
    status.textContent = answer.hits.length ? `${this.count(answer)} ${by}` : "No film passes.";
    if (!answer.hits.length) this.grid.empty(this.lack(notes));
    this.comparable(answer);
    byId("notes").textContent = notes.map(sentence).join(" ");
    show(byId("notes"), answer.hits.length > 0 && notes.length > 0);
    priors(answer, own);
    reading(state, answer.understood, () => this.plain(!state.plain));
    provenance(answer.provenance, state, state.id || this.upload);
    this.tiles.ask(answer.hits.length && onFilms(sent?.query) ? { query: sent.query, model: models[0].name } : null);
    this.whyNot.about(sent);
    this.arrive();
  }

  // The film that was brought may look like none there is; else none of those found is near enough.
  comparable({ nothing_comparable: none, hits, warnings }) {
    byId("nothing-said").textContent = warnings.length ? warnings.map((said) => `${said[0].toUpperCase()}${said.slice(1)}.`).join(" ") : NONE_NEAR;
    show(byId("nothing"), none && hits.length > 0);
  }

  lack(notes) {
    if (Number(this.state.sure)) return "No film is that likely to share the finding. Ask for a lower probability.";
    const why = this.state.where ? "No film is left by this filter. Take a condition away." : ofFinding(this.state) ? "No film has this finding." : "There is no other film to compare with. Leave out less, or ingest more films.";
    return [why, ...notes.map(sentence)].join(" ");
  }

  count(answer) { return `${answer.next_page_token ? "The first " : ""}${plural(this.shown, "film")}`; }

  page(answer, first) {
    this.grid.answer(answer, first);
    this.grid.end(answer.next_page_token);
    this.shown += answer.hits.length;
    this.marks.press();
    keep(this.grid.ids, address(), true);
  }

  // Without a question, the films that the filter leaves.
  async browse(signal, token = "") {
    const { where } = this.state;
    const found = await call("/v1/images:query", { filter: where, page_size: BROWSED, page_token: token }, signal);
    this.grid.films(found.images, !token);
    answered([], false);
    this.grid.end(found.next_page_token);
    keep(this.grid.ids, address(), false);
    if (token) return;
    this.tiles.ask(null);
    status.textContent = `${plural(found.total, "film")} ${where ? "pass the filter" : "in the archive"}`;
    if (!found.total) this.grid.empty(where ? "No film passes this filter. Take a condition away." : "The archive is empty. Store films with “hilum ingest FOLDER --dataset NAME”.");
    show(byId("how"), false);
    this.arrive();
  }

  async further(token) {
    const { signal } = this.under;
    try {
      if (!this.sent && !this.state.run) { await this.browse(signal, token); return; }
      const answer = await call("/v1/search", { page_token: token }, signal);
      this.page(answer, false);
      status.textContent = status.textContent.replace(/^.*? by /, `${this.count(answer)} by `);
    } catch (error) { this.fail(error); }
  }

  fail(error) {
    if (error.name === "AbortError") return;
    this.grid.end("");
    if (error.code === "INVALID_FILTER") { this.filter.refuse(error.message); status.textContent = "The filter cannot be read."; return; }
    const known = error instanceof Failure;
    if (!known) console.error(error);
    byId("alert").replaceChildren(known ? error.message : "This page failed. Reload it.", ...(known && error.request ? [el("br"), el("small", {}, `request ${error.request}`)] : []));
    show(byId("alert"), true);
    if (!this.grid.busy) return; // what is there already is right
    this.tiles.ask(null);
    show(byId("how"), false);
    status.textContent = "";
    this.grid.place.replaceChildren();
  }

  // Back from a film, its tile has the focus again.
  arrive() {
    if (this.last) this.grid.place.querySelector(`.card[data-id="${CSS.escape(this.last)}"]`)?.focus();
    this.last = null;
  }
}
