// One film: window and level, its neighbours in other patients, and the way through the results.

import { byId, typing } from "./dom.js";
import { call } from "./api.js";
import { hits, walk } from "./cards.js";
import { Viewer } from "./viewer.js";
import { Spot } from "./spot.js";

const page = byId("film");
const canvas = byId("view");
const kept = remembered();
let viewer = null;

function remembered() {
  try { return JSON.parse(sessionStorage.getItem("results")); } catch { return null; /* a private window */ }
}

if (kept?.back) byId("back").href = kept.back;

const picture = new Image();
picture.onload = () => {
  viewer = new Viewer(canvas, picture, ({ width, centre, changed }) => {
    byId("wl").textContent = changed ? `W ${Math.round(width)} L ${Math.round(centre)}` : "";
  });
  const { rows, columns } = byId("size").dataset;
  const small = Number(rows) > picture.naturalHeight || Number(columns) > picture.naturalWidth;
  byId("size").textContent = small
    ? `Preview: ${picture.naturalWidth} × ${picture.naturalHeight} of ${columns} × ${rows} pixels are kept`
    : `${picture.naturalWidth} × ${picture.naturalHeight} pixels`;
};
picture.onerror = () => { byId("size").textContent = "No picture of this film is kept. Ingest it again to have one."; };
picture.src = page.dataset.picture;

const spot = new Spot(page.dataset.id, kept?.back ?? "");

byId("reset").addEventListener("click", () => viewer?.reset());
byId("invert").addEventListener("click", () => viewer?.invert());
const strip = byId("relatives");
const here = strip?.querySelector("[aria-current]");
if (here) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;

function step(by) {
  const at = kept?.ids?.indexOf(page.dataset.id) ?? -1;
  const to = at === -1 ? undefined : kept.ids[at + by];
  if (to) location.assign(`/images/${encodeURIComponent(to)}`);
}

const steer = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] };

addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const key = event.key.toLowerCase();
  const onTile = document.activeElement?.closest?.("#near .card");
  if (onTile && event.key in steer) { if (walk(byId("near"), event)) event.preventDefault(); }
  else if (event.key in steer && document.activeElement === canvas) { event.preventDefault(); viewer?.change(...steer[event.key]); }
  else if (key === "0") viewer?.reset();
  else if (key === "i") viewer?.invert();
  else if (key === "w") { event.preventDefault(); spot.toggle(); }
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "s") location.assign(onTile ? `/?id=${encodeURIComponent(onTile.dataset.id)}` : byId("similar").href);
  else if (event.key === "Escape") location.assign(byId("back").href);
  else if (event.key === "/") { event.preventDefault(); location.assign("/"); }
});

try {
  const answer = await call("/v1/search", { query: { image_id: page.dataset.id }, limit: 8 });
  byId("near").replaceChildren(...hits(answer));
  byId("near-status").textContent = answer.hits.length ? `by ${answer.provenance.models.map((model) => model.name).join(" + ")}` : "No film of another patient is stored.";
} catch (error) {
  byId("near-status").textContent = error.message;
}
