// The search page. What is asked stands in the address, so that an answer can be kept, shared and gone back to;
// only an opened file does not: it stays in this page.

import { byId } from "./dom.js";
import { Failure, base64, picture } from "./api.js";
import { DEFAULTS, fromAddress, fromRequest, ofFinding, request, toAddress } from "./state.js";
import * as form from "./form.js";
import { Asked } from "./asked.js";
import { Asking } from "./asking.js";
import { Filter } from "./filter.js";
import { Grid } from "./grid.js";
import { Marks } from "./marks.js";
import { Saved } from "./saved.js";
import { Tiles } from "./where.js";
import { WhyNot } from "./whynot.js";
import { hands } from "./hands.js";

const MAX_FILE = 64 * 2 ** 20;
const QUESTION = ["q", "id", "box", "lean"];
const UNMARKED = { like: [], unlike: [], saved: "", run: "" };
let state = fromAddress(location.search);
let upload = null; // {data, url} of an opened file

const grid = new Grid((token) => asking.further(token));
const tiles = new Tiles(grid.place);
const filter = new Filter((where) => go({ where }), form.findings);
const asked = new Asked({ take: () => { open(null); go({ id: "", box: "" }); byId("words").focus(); }, part: (box) => go({ box }) });
const marks = new Marks(grid.place, (lists) => go(lists), (error) => asking.fail(error));
const whyNot = new WhyNot();
const asking = new Asking({ grid, tiles, filter, marks, whyNot }, (plain) => go({ plain }));
const saved = new Saved({
  asked: () => ({ request: request(state, upload, false), title: state.q.trim() || (ofFinding(state) ? `${state.mode} ${state.finding}` : "films like this one") }),
  open: (search) => { const known = fromRequest(search.request); open(null); set(known ? { ...known, saved: search.search_id } : { ...DEFAULTS, run: search.search_id }); },
  kept: async (id) => { await marks.keepAll(id); state = { ...state, saved: id }; history.replaceState(null, "", toAddress(state)); saved.show(state); },
  gone: () => go({ saved: "", run: "" }),
});

// What the controls say now, with these changes: into the address, and asked. Another question forgets the marks.
function go(changes = {}) {
  const next = { ...form.read(state), q: byId("words").value, where: filter.text, ...changes };
  next.q = next.q.trim();
  if (!upload && !next.id) next.box = "";
  if (QUESTION.some((key) => next[key] !== state[key])) {
    marks.fresh();
    Object.assign(next, UNMARKED, changes);
  }
  set(next);
}

function set(next) {
  state = next;
  const to = toAddress(state);
  if (to !== location.pathname + location.search) history.pushState(null, "", to);
  draw();
}

function draw() {
  byId("words").value = state.q;
  form.write({ ...state, upload });
  if (filter.text !== state.where || filter.told === undefined) filter.write(state.where);
  asked.show(state, upload);
  saved.show(state);
  marks.show(state);
  return asking.ask(state, upload);
}

function open(file) {
  if (upload?.url) URL.revokeObjectURL(upload.url);
  upload = file;
}

async function opened(file) {
  if (file.size > MAX_FILE) { asking.fail(new Failure("PAYLOAD_TOO_LARGE", "A film may hold at most 64 MiB. Export it again, or store it with “hilum ingest”.")); return; }
  try {
    const data = await base64(file);
    const itself = /^image\/(png|jpeg)$/.test(file.type);
    const mine = { data, url: itself ? URL.createObjectURL(file) : "" };
    open(mine);
    alone({ id: "" });
    if (itself) return;
    mine.url = await picture(data); // DICOM, which no browser shows
    if (mine.url && upload === mine) asked.show(state, upload);
  } catch (error) { asking.fail(error); }
}

// Asked by this film and nothing else.
function alone(film) {
  marks.fresh();
  byId("words").value = "";
  go({ box: "", ...UNMARKED, ...film });
}

form.listen(() => go());
byId("search").addEventListener("submit", (event) => { event.preventDefault(); go(); });
addEventListener("popstate", () => { state = fromAddress(location.search); open(null); draw(); });
hands({
  grid, tiles, marks, opened,
  like: (id) => { open(null); alone({ id }); scrollTo(0, 0); },
  free: () => { if (!state.id && !upload) return false; open(null); go({ id: "", box: "" }); return true; },
});
if (matchMedia("(max-width: 62rem)").matches) byId("panel").open = false;
draw().then(() => { const lost = new URLSearchParams(location.search).get("whynot"); if (lost) whyNot.ask(lost); });
