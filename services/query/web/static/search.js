// The search page. What is asked stands in the address, so that an answer can be kept, shared and gone back to;
// only an opened file does not: it stays in this page.

import { byId, el, plural, show } from "./dom.js";
import { Failure, base64, call } from "./api.js";
import { DEFAULTS, fromAddress, fromRequest, ofFinding, request, toAddress } from "./state.js";
import * as form from "./form.js";
import { Asked } from "./asked.js";
import { Filter } from "./filter.js";
import { Grid } from "./grid.js";
import { Marks } from "./marks.js";
import { Saved } from "./saved.js";
import { Tiles } from "./where.js";
import { WhyNot } from "./whynot.js";
import { hands } from "./hands.js";
import { priors } from "./priors.js";
import { provenance } from "./provenance.js";
import { reading } from "./reading.js";
import { answer as kept, keep } from "./seen.js";

const MAX_FILE = 64 * 2 ** 20;
const BROWSED = 48;
const status = byId("status");
let state = fromAddress(location.search);
let upload = null; // {data, url} of an opened file
let asking = null;
let shown = 0;
let last = kept()?.back === location.pathname + location.search ? kept().at : null; // the film that one comes back from

const grid = new Grid((token) => further(token).catch(fail));
const tiles = new Tiles(grid.place);
const filter = new Filter((where) => go({ where }), form.findings);
const asked = new Asked({ take: () => { open(null); go({ id: "", box: "" }); byId("words").focus(); }, part: (box) => go({ box }) });
const marks = new Marks(grid.place, (lists) => go(lists), fail);
const whyNot = new WhyNot();
const saved = new Saved({
  asked: () => ({ request: request(state, upload, false), title: state.q.trim() || (ofFinding(state) ? `${state.mode} ${state.finding}` : "films like this one") }),
  open: (search) => { const known = fromRequest(search.request); open(null); set(known ? { ...known, saved: search.search_id } : { ...DEFAULTS, run: search.search_id }); },
  kept: async (id) => { await marks.keepAll(id); state = { ...state, saved: id }; history.replaceState(null, "", toAddress(state)); saved.show(state); },
  gone: () => go({ saved: "", run: "" }),
});

// -- what is asked ----------------------------------------------------------------------------------------------------

// What the controls say now, with these changes: into the address, and asked. Another question forgets the marks.
function go(changes = {}) {
  const next = { ...form.read(state), q: byId("words").value, where: filter.text, ...changes };
  next.q = next.q.trim();
  if (!upload && !next.id) next.box = "";
  if (["q", "id", "box", "lean"].some((key) => next[key] !== state[key])) {
    marks.fresh();
    Object.assign(next, { like: [], unlike: [], saved: "", run: "" }, changes);
  }
  set(next);
}

function set(next) {
  state = next;
  const to = toAddress(state);
  if (to !== location.pathname + location.search) history.pushState(null, "", to);
  draw();
  ask();
}

function draw() {
  byId("words").value = state.q;
  form.write({ ...state, upload });
  if (filter.text !== state.where || filter.told === undefined) filter.write(state.where);
  asked.show(state, upload);
  saved.show(state);
  marks.show(state);
}

// -- asking -----------------------------------------------------------------------------------------------------------

async function ask() {
  asking?.abort();
  const mine = (asking = new AbortController());
  const sent = request(state, upload);
  grid.busy = true;
  grid.start(["lookalike", "disagree"].includes(state.mode));
  filter.refuse("");
  for (const id of ["alert", "nothing", "priors", "reading"]) show(byId(id), false);
  whyNot.about(null);
  status.textContent = state.id || upload ? "Looking for similar films…" : "Looking…";
  try {
    if (ofFinding(state) && !state.finding) throw new Failure("", "Choose the finding whose typical or atypical films are wanted.");
    if (state.run) await search(call(`/v1/searches/${encodeURIComponent(state.run)}:run`, {}, mine.signal), sent);
    else if (sent) await search(call("/v1/search", sent, mine.signal), sent);
    else await browse(mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
  if (asking === mine) grid.busy = false;
}

async function search(answering, sent) {
  const answer = await answering;
  const own = answer.priors.length && state.id ? await call(`/v1/images/${encodeURIComponent(state.id)}`) : null;
  shown = 0;
  page(answer, true);
  const { models, exact, elapsed_ms: took, notes } = answer.provenance;
  const by = `by ${models.map((model) => model.name).join(" + ")} in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms${exact ? ", compared with every film" : ""}`;
  status.textContent = answer.hits.length ? `${count(answer)} ${by}` : "No film passes.";
  if (!answer.hits.length) grid.empty(state.where ? ["No film is left by this filter. Take a condition away.", ...notes].join(" Note: ") : "There is no other film to compare with. Leave out less, or ingest more films.");
  show(byId("nothing"), answer.nothing_comparable && answer.hits.length > 0);
  priors(answer, own);
  reading(state, answer.understood, () => go({ plain: !state.plain }));
  provenance(answer.provenance, state, state.id || upload);
  tiles.ask(answer.hits.length && sent?.query && where(sent.query) ? { query: sent.query, model: models[0].name } : null);
  if (sent) whyNot.about(sent);
  arrive();
}

const count = (answer) => (answer.next_page_token ? `The first ${plural(shown, "film")}` : plural(shown, "film"));

// What can be shown on a film: one stored film, or words.
const where = (query) => Boolean(query.text || query.image_id);

function page(answer, first) {
  grid.answer(answer, first);
  grid.end(answer.next_page_token);
  shown += answer.hits.length;
  marks.press();
  keep(grid.ids, location.pathname + location.search, true);
}

// Without a question, the films that the filter leaves.
async function browse(signal, token = "") {
  const found = await call("/v1/images:query", { filter: state.where, page_size: BROWSED, page_token: token }, signal);
  grid.films(found.images, !token);
  grid.end(found.next_page_token);
  if (token) { keep(grid.ids, location.pathname + location.search, false); return; }
  tiles.ask(null);
  status.textContent = state.where ? `${plural(found.total, "film")} pass the filter` : `${plural(found.total, "film")} in the archive`;
  if (!found.total) grid.empty(state.where ? "No film passes this filter. Take a condition away." : "The archive is empty. Store films with “hilum ingest FOLDER --dataset NAME”.");
  show(byId("how"), false);
  keep(grid.ids, location.pathname + location.search, false);
  arrive();
}

async function further(token) {
  const { signal } = asking;
  if (!request(state, upload) && !state.run) { await browse(signal, token); return; }
  const answer = await call("/v1/search", { page_token: token }, signal);
  page(answer, false);
  status.textContent = status.textContent.replace(/^.*? by /, `${count(answer)} by `);
}

function fail(error) {
  if (error.name === "AbortError") return;
  grid.end("");
  if (error.code === "INVALID_FILTER") { filter.refuse(error.message); status.textContent = "The filter cannot be read."; return; }
  const place = byId("alert");
  const known = error instanceof Failure;
  if (!known) console.error(error);
  place.replaceChildren(known ? error.message : "This page failed. Reload it.", ...(known && error.request ? [el("br"), el("small", {}, `request ${error.request}`)] : []));
  show(place, true);
  if (!grid.busy) return;
  tiles.ask(null);
  show(byId("how"), false);
  status.textContent = "";
  grid.place.replaceChildren();
}

// -- films as files -----------------------------------------------------------------------------------------------------

function open(file) {
  if (upload?.url) URL.revokeObjectURL(upload.url);
  upload = file;
}

async function opened(file) {
  if (file.size > MAX_FILE) { fail(new Failure("PAYLOAD_TOO_LARGE", "A film may hold at most 64 MiB. Export it again, or store it with “hilum ingest”.")); return; }
  try {
    const data = await base64(file);
    open({ data, url: /^image\/(png|jpeg)$/.test(file.type) ? URL.createObjectURL(file) : "" });
    byId("words").value = "";
    go({ id: "", box: "", like: [], unlike: [], saved: "", run: "" });
  } catch (error) { fail(error); }
}

// Back from a film, its tile has the focus again.
function arrive() {
  if (last) grid.place.querySelector(`.card[data-id="${CSS.escape(last)}"]`)?.focus();
  last = null;
}

form.listen(() => go());
byId("search").addEventListener("submit", (event) => { event.preventDefault(); go(); });
addEventListener("popstate", () => { state = fromAddress(location.search); open(null); draw(); ask(); });
hands({ grid, tiles, marks, opened, like: (id) => { open(null); byId("words").value = ""; go({ id, box: "", like: [], unlike: [], saved: "", run: "" }); scrollTo(0, 0); },
  alone: () => { if (!state.id && !upload) return false; open(null); go({ id: "", box: "" }); return true; } });
if (matchMedia("(max-width: 62rem)").matches) byId("panel").open = false;
draw();
ask().then(() => { const lost = new URLSearchParams(location.search).get("whynot"); if (lost) whyNot.ask(lost); });
