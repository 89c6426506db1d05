// One film: window and level, a prior beside it, a part of it to search by, its neighbours in other patients, and the
// way through the results.

import { byId, show, typing } from "./dom.js";
import { call } from "./api.js";
import { Hits } from "./cards.js";
import { Compare } from "./compare.js";
import { Cut } from "./cut.js";
import { Spot } from "./spot.js";
import { Viewer } from "./viewer.js";
import { Zoom } from "./zoom.js";
import { answer as results, keep, look } from "./seen.js";
import { walk } from "./walk.js";

const page = byId("film");
const canvas = byId("view");
const { id } = page.dataset;
const kept = results();
let viewer = null;

if (kept?.back) {
  byId("back").href = kept.back;
  const lost = kept.asked && !kept.ids.includes(id);
  show(byId("lost"), lost);
  if (lost) byId("lost").href = `${kept.back}${kept.back.includes("?") ? "&" : "?"}whynot=${encodeURIComponent(id)}`;
  if (kept.ids.includes(id)) keep(kept.ids, kept.back, kept.asked, id);
}
look(id);

const compare = new Compare(() => viewer);
const cut = new Cut(canvas, id);
const spot = new Spot(id, kept?.back ?? "");
const zoom = new Zoom(byId("screen"), byId("zoomed"));
const asShown = () => { viewer?.reset(); zoom.reset(); };

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
  compare.open(new URLSearchParams(location.search).get("beside") ?? "");
};
picture.onerror = () => { byId("size").textContent = "No picture of this film is kept. Ingest it again to have one."; };
picture.src = page.dataset.picture;

byId("reset").addEventListener("click", asShown);
byId("closer").addEventListener("click", () => zoom.closer());
byId("further").addEventListener("click", () => zoom.further());
byId("invert").addEventListener("click", () => viewer?.invert());
const strip = byId("relatives");
const here = strip?.querySelector("[aria-current]");
if (here) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;

function step(by) {
  const at = kept?.ids?.indexOf(id) ?? -1;
  const to = at === -1 ? undefined : kept.ids[at + by];
  if (to) location.assign(`/images/${encodeURIComponent(to)}`);
}

const steer = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] };

addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const key = event.key.toLowerCase();
  const onTile = document.activeElement?.closest?.("#near .card");
  if (onTile && event.key in steer) { if (walk(byId("near"), event)) event.preventDefault(); }
  else if (event.key in steer && document.activeElement === canvas) {
    event.preventDefault();
    const [across, down] = steer[event.key];
    if (event.shiftKey) zoom.pan(-6 * across, -12 * down); else viewer?.change(across, down);
  }
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (key === "0") asShown();
  else if (key === "+" || key === "=") zoom.closer();
  else if (key === "-") zoom.further();
  else if (key === "i") viewer?.invert();
  else if (key === "w") { event.preventDefault(); spot.toggle(); }
  else if (key === "c") compare.toggle();
  else if (key === "p") { event.preventDefault(); cut.toggle(); }
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "s") location.assign(onTile ? `/?id=${encodeURIComponent(onTile.dataset.id)}` : byId("similar").href);
  else if (event.key === "Escape") { if (cut.on) cut.toggle(); else location.assign(byId("back").href); }
  else if (event.key === "/") { event.preventDefault(); location.assign("/"); }
});

try {
  const answer = await call("/v1/search", { query: { image_id: id }, limit: 8 });
  byId("near").replaceChildren(...new Hits().of(answer));
  byId("near-status").textContent = answer.hits.length ? `by ${answer.provenance.models.map((model) => model.name).join(" + ")}` : "No film of another patient is stored.";
} catch (error) {
  byId("near-status").textContent = error.message;
}
