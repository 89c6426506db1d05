// The list of teaching files; films that were picked, to be made into one; and one assembled from the archive.

import { byId, el, plural, show, thumbnail, words } from "./dom.js";
import { base64, call } from "./api.js";

const asked = new URLSearchParams(location.search);
const picked = [...new Set((asked.get("films") ?? "").split(",").filter(Boolean))].slice(0, 200);
const FILMS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const BLANK = { caption: "", key_note: "", annotations: [], section: "" };

const tell = (message) => { byId("alert").textContent = message; show(byId("alert"), Boolean(message)); if (message) byId("alert").scrollIntoView({ block: "nearest" }); };
const open = (id, edit) => location.assign(`/teaching/${encodeURIComponent(id)}${edit ? "#edit" : ""}`);

function tile(one) {
  const picture = (key) => el("img", { src: `/v1/teachingFiles/${encodeURIComponent(one.file_id)}/pictures/${encodeURIComponent(key)}?version=${one.version}`, alt: "", loading: "lazy" });
  return el("li", {}, el("a", { class: "case-tile", href: `/teaching/${encodeURIComponent(one.file_id)}` },
    el("span", { class: `shots of-${Math.min(4, one.pictures.length)}` }, one.pictures.map(picture)),
    el("strong", {}, one.title), one.diagnosis && el("span", { class: "quiet small lead" }, one.diagnosis.split("\n")[0]),
    el("span", { class: "small quiet" }, el("span", { class: `chip state-of ${one.state}` }, one.state), ` ${plural(one.films, "film")}`, el("span", { class: "when" }, ` · ${one.updated_at.slice(0, 10)}`))));
}

let token = "";
let turn = 0;
let turned = false;
async function list(more = false) {
  const mine = (turn += 1);
  byId("files").setAttribute("aria-busy", "true");
  const seek = { words: byId("seek-words").value.trim(), state: byId("seek-state").value, page_size: 24, ...(more && { page_token: token }) };
  try {
    const { files, next_page_token: next } = await call(`/v1/teachingFiles?${new URLSearchParams(Object.entries(seek).filter(([, value]) => value))}`);
    if (mine !== turn) return;
    const tiles = files.map(tile);
    if (more) byId("files").append(...tiles); else byId("files").replaceChildren(...tiles);
    token = next;
    show(byId("more"), Boolean(next));
    const count = byId("files").children.length;
    byId("seek-said").textContent = (asked.get("gone") && !turned ? "Deleted. " : "") + (count ? next ? `the first ${plural(count, "file")}` : plural(count, "file") : seek.words || seek.state ? "No such file." : "No teaching file yet: assemble one below, or pick films on the search page.");
    turned = true;
    const published = files.filter((one) => one.published);
    if (published.length && !seek.words) { byId("unknown").href = `/teaching/${encodeURIComponent(published[Math.floor(Math.random() * published.length)].file_id)}/quiz`; show(byId("unknown"), true); }
    if (!more && !seek.words && picked.length) choices(files.filter((one) => one.may.includes("update")));
  } catch (error) { tell(error.message); }
  byId("files").setAttribute("aria-busy", "false");
}

function choices(files) {
  byId("join-file").replaceChildren(...files.map((one) => el("option", { value: one.file_id }, one.title)));
  show(byId("join"), files.length > 0);
}

function pick() {
  show(byId("picked"), picked.length > 0);
  byId("picked-films").replaceChildren(...picked.map((id) => el("li", {}, el("a", { href: `/images/${encodeURIComponent(id)}` }, el("img", { src: thumbnail(id), alt: "film", width: "86", height: "86" })))));
  byId("make-title").value = asked.get("title") ?? "";
  if (picked.length === 1) byId("assemble").elements.film.value = picked[0];
}

const sending = (form, act) => form.addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("");
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try { await act(); } catch (error) { tell(error.message); }
  button.disabled = false;
});

sending(byId("make"), async () => {
  const made = await call("/v1/teachingFiles", { document: { title: byId("make-title").value, images: picked.map((image_id) => ({ image_id })) }, note: "made of films that were picked" });
  open(made.file_id, true);
});

sending(byId("join"), async () => {
  const file = await call(`/v1/teachingFiles/${encodeURIComponent(byId("join-file").value)}`);
  const there = new Set(file.document.images.map((one) => one.image_id));
  file.document.images.push(...picked.filter((id) => !there.has(id)).map((image_id) => ({ ...BLANK, image_id })));
  await call(`/v1/teachingFiles/${encodeURIComponent(file.file_id)}`, { made_from: file.version, document: file.document, note: "films added" }, undefined, "PATCH");
  open(file.file_id, true);
});

function question({ words: said, film }) {
  const parts = [film && { image_id: film }, said && { text: said }].filter(Boolean);
  return parts.length > 1 ? { mixture: { parts: parts.map((query) => ({ query, weight: 1 })) } } : parts[0];
}

sending(byId("assemble"), async () => {
  const told = Object.fromEntries(new FormData(byId("assemble")));
  const number = (name) => Number(told[name]) || -1; // none
  const film = told.film.match(FILMS)?.[0] ?? "";
  if (told.film.trim() && !film) { throw new Error("“Like this film” takes a film’s id, or the address of its page."); }
  const body = {
    finding: told.finding.trim().toLowerCase().replaceAll(/\s+/g, "_"), query: question({ words: told.words.trim(), film }), filter: told.filter.trim(), layout: told.layout, title: told.title.trim(),
    typical: number("typical"), atypical: number("atypical"), lookalikes: number("lookalikes"), normals: number("normals"), allow_restricted: Boolean(told.restricted),
  };
  const since = performance.now();
  const bar = el("progress", { "aria-label": "assembling" }), said = el("span", {}, "choosing films");
  byId("assembling").replaceChildren(bar, said);
  byId("made").replaceChildren();
  const clock = setInterval(() => { said.textContent = `choosing films, ${Math.round((performance.now() - since) / 1000)} s`; }, 1000);
  try {
    const { files, notes, seconds } = await call("/v1/teachingFiles:assemble", body);
    if (files.length === 1) { open(files[0].file_id, false); return; }
    byId("made").replaceChildren(el("p", {}, `${plural(files.length, "file")} in ${seconds.toFixed(1)} s:`), el("ul", {}, files.map((one) => el("li", {}, el("a", { href: `/teaching/${encodeURIComponent(one.file_id)}` }, one.document.title)))),
      notes.length > 0 && el("ul", { class: "quiet small" }, notes.map((note) => el("li", {}, note))));
    await list();
  } catch (error) { byId("made").replaceChildren(el("p", { class: "alert", role: "alert" }, error.message)); } finally { clearInterval(clock); byId("assembling").replaceChildren(); }
});

byId("mirc").addEventListener("change", async () => {
  const [file] = byId("mirc").files;
  if (!file) return;
  tell("");
  try {
    const { file: made } = await call("/v1/teachingFiles:import", { archive: await base64(file) });
    open(made.file_id, false);
  } catch (error) { tell(error.message); }
  byId("mirc").value = "";
});

let pause = 0;
byId("seek-words").addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(list, 250); });
byId("seek-state").addEventListener("change", () => list());
byId("seek").addEventListener("submit", (event) => { event.preventDefault(); list(); });
byId("more").addEventListener("click", () => list(true));

if (asked.get("finding")) byId("assemble").elements.finding.value = words(asked.get("finding"));
pick();
list();
call("/v1/images:facets", {}).then(({ facets }) => byId("findings").replaceChildren(...facets.filter(({ field }) => field.startsWith("labels.")).map(({ field }) => el("option", { value: words(field.slice("labels.".length)) })))).catch(() => { /* one types it then */ });
