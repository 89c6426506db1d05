// The search page. What is asked stands in the address, so that an answer can be kept, shared and gone back to;
// only an opened file does not: it stays in this page.

import { byId, el, plural, show, typing } from "./dom.js";
import { Failure, base64, call } from "./api.js";
import { card, hits, walk } from "./cards.js";
import { Filter } from "./filter.js";
import { Tiles } from "./where.js";

const MAX_FILE = 64 * 2 ** 20;
const PAGE = 48;
const [box, grid, status, more] = ["words", "grid", "status", "more"].map(byId);
let film = null; // {id} a stored film, or {data, url} an opened one
let asking = null;

const filter = new Filter(() => go());
const tiles = new Tiles(grid);

// -- what is asked, in the address ------------------------------------------------------------------------------------

const checked = (name) => [...document.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);

function address() {
  const parts = new URLSearchParams();
  if (film?.id) parts.set("id", film.id);
  else if (!film && box.value.trim()) parts.set("q", box.value.trim());
  if (checked("model").length) parts.set("models", checked("model").join(","));
  if (filter.text) parts.set("where", filter.text);
  if (checked("exclude")[0] !== "patient") parts.set("exclude", checked("exclude")[0]);
  if (byId("limit").value !== "24") parts.set("limit", byId("limit").value);
  if (byId("exact").checked) parts.set("exact", "1");
  return parts.size ? `/?${parts}` : "/";
}

function readAddress() {
  const parts = new URLSearchParams(location.search);
  const chosen = (parts.get("models") ?? "").split(",");
  box.value = parts.get("q") ?? "";
  subject(parts.get("id") ? { id: parts.get("id") } : null);
  for (const input of document.querySelectorAll("input[name=model]")) input.checked = chosen.includes(input.value);
  for (const input of document.querySelectorAll("input[name=exclude]")) input.checked = input.value === (parts.get("exclude") ?? "patient");
  if ([...byId("limit").options].some((option) => option.value === parts.get("limit"))) byId("limit").value = parts.get("limit");
  byId("exact").checked = parts.get("exact") === "1";
  filter.write(parts.get("where") ?? "");
}

function go() {
  const to = address();
  if (to !== location.pathname + location.search) history.pushState(null, "", to);
  ask();
}

function subject(chosen) {
  if (film?.url) URL.revokeObjectURL(film.url);
  film = chosen;
  const place = byId("subject");
  show(place, Boolean(film));
  box.placeholder = film ? "" : "Describe a film, or drop one anywhere on this page";
  if (!film) { byId("file").value = ""; return; }
  const picture = film.id ? `/v1/images/${encodeURIComponent(film.id)}/thumbnail` : film.url;
  place.replaceChildren(
    ...(picture ? [el("img", { src: picture, alt: "" })] : []), film.id ? "films like this one" : "films like the opened one",
    el("button", { type: "button", "aria-label": "Search by something else", onclick: () => { subject(null); box.focus(); go(); } }, "×"));
}

// -- asking -----------------------------------------------------------------------------------------------------------

async function ask() {
  asking?.abort();
  const mine = (asking = new AbortController());
  grid.setAttribute("aria-busy", "true");
  filter.refuse("");
  show(byId("alert"), false);
  try {
    if (film || box.value.trim()) await search(mine.signal);
    else await browse(mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
  if (asking === mine) grid.setAttribute("aria-busy", "false");
}

async function search(signal) {
  show(more, false);
  status.textContent = film ? "Looking for similar films…" : "Looking…";
  const query = film?.id ? { image_id: film.id } : film ? { image: film.data } : { text: box.value.trim() };
  const answer = await call("/v1/search", {
    query, models: checked("model"), filter: filter.text, limit: Number(byId("limit").value), exclude: checked("exclude")[0], exact: byId("exact").checked,
  }, signal);
  grid.replaceChildren(...hits(answer));
  keep(answer.hits.map((hit) => hit.image_id));
  tiles.ask(answer.hits.length && !query.image ? { query, model: answer.provenance.models[0].name } : null);
  const { models, exact, elapsed_ms: took, notes } = answer.provenance;
  status.textContent = answer.hits.length
    ? `${plural(answer.hits.length, "film")} by ${models.map((model) => model.name).join(" + ")} in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms${exact ? ", compared with every film" : ""}`
    : "No film passes.";
  if (!answer.hits.length) empty(filter.text ? ["No film is left by this filter. Take a condition away.", ...notes].join(" Note: ") : "There is no other film to compare with. Leave out less, or ingest more films.");
  provenance(answer.provenance);
}

// Without a question, the films that the filter leaves.
async function browse(signal, token = "") {
  if (!token) status.textContent = "Looking…";
  const page = await call("/v1/images:query", { filter: filter.text, page_size: PAGE, page_token: token }, signal);
  const films = page.images.map((image) => card(image));
  if (token) grid.append(...films); else grid.replaceChildren(...films);
  tiles.ask(null);
  keep([...grid.querySelectorAll(".card")].map((tile) => tile.dataset.id));
  status.textContent = filter.text ? `${plural(page.total, "film")} pass the filter` : `${plural(page.total, "film")} in the archive`;
  if (!page.total) empty(filter.text ? "No film passes this filter. Take a condition away." : "The archive is empty. Store films with “hilum ingest FOLDER --dataset NAME”.");
  show(byId("how"), false);
  show(more, Boolean(page.next_page_token));
  more.onclick = () => browse(undefined, page.next_page_token).catch(fail);
}

const empty = (text) => grid.replaceChildren(el("li", { class: "empty" }, text));

function fail(error) {
  show(more, false);
  show(byId("how"), false);
  status.textContent = "";
  if (error.code === "INVALID_FILTER") { filter.refuse(error.message); status.textContent = "The filter cannot be read."; return; }
  const place = byId("alert");
  const known = error instanceof Failure;
  tiles.ask(null);
  place.replaceChildren(known ? error.message : "This page failed. Reload it.", ...(known && error.request ? [el("br"), el("small", {}, `request ${error.request}`)] : []));
  show(place, true);
  grid.replaceChildren();
}

function provenance(how) {
  const rows = [
    ...how.models.map((model) => [model.name, `fingerprint ${model.fingerprint.slice(0, 16)}…, collection ${model.collection}`]),
    ["filter in force", how.filter || "none"], ["left out", film ? { patient: "films of the same patient", study: "films of the same study", none: "nothing" }[how.exclude] : "nothing: words are nobody’s film"],
    ["search", how.exact ? "exact: compared with every film" : "approximate nearest neighbours"],
    ["score", how.models.length > 1 ? "reciprocal-rank fusion of the models" : "cosine similarity"],
    ["when", `${how.time}, took ${how.elapsed_ms.toFixed(1)} ms`], ["software", Object.entries(how.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  byId("provenance").replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  show(byId("how"), true);
}

// The film page walks through these with J and K.
function keep(ids) {
  try { sessionStorage.setItem("results", JSON.stringify({ ids, back: location.pathname + location.search })); } catch { /* a private window */ }
}

async function open(file) {
  if (file.size > MAX_FILE) { fail(new Failure("PAYLOAD_TOO_LARGE", "A film may hold at most 64 MiB. Export it again, or store it with “hilum ingest”.")); return; }
  try {
    const data = await base64(file);
    subject({ data, url: /^image\/(png|jpeg)$/.test(file.type) ? URL.createObjectURL(file) : "" });
    box.value = "";
    await ask();
  } catch (error) { fail(error); }
}

// -- hands ------------------------------------------------------------------------------------------------------------

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (box.value.trim()) subject(null);
  go();
});
byId("search").addEventListener("change", (event) => {
  if (event.target.id === "file") { if (event.target.files[0]) open(event.target.files[0]); }
  else if (event.target !== box) go();
});
addEventListener("popstate", () => { readAddress(); ask(); });

const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); show(byId("drop"), true); } });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) show(byId("drop"), false); });
addEventListener("drop", (event) => {
  show(byId("drop"), false);
  if (!carries(event)) return;
  event.preventDefault();
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => { if (event.clipboardData?.files[0]) { event.preventDefault(); open(event.clipboardData.files[0]); } });

addEventListener("keydown", (event) => {
  const tile = document.activeElement?.closest?.(".card");
  if (event.key === "Escape") {
    if (document.activeElement === box && !box.value && film) { subject(null); go(); }
    else if (typing(event)) document.activeElement.blur();
    else box.focus();
  } else if (event.key === "ArrowDown" && document.activeElement === box) {
    if (walk(grid, event)) event.preventDefault();
  } else if (typing(event)) return;
  else if (event.key === "/") { event.preventDefault(); box.focus(); box.select(); }
  else if (event.key.toLowerCase() === "s" && tile) { box.value = ""; subject({ id: tile.dataset.id }); go(); scrollTo(0, 0); }
  else if (event.key.toLowerCase() === "w") tiles.toggle();
  else if (walk(grid, event)) event.preventDefault();
});

if (matchMedia("(max-width: 62rem)").matches) byId("panel").open = false;
readAddress();
ask();
filter.load();
