// Keys, files that are dropped or pasted, and clicks on tiles.

import { byId, show, typing } from "./dom.js";
import { open as tell } from "./told.js";
import { walk } from "./walk.js";

const SIGNS = { "+": "like", "=": "like", "-": "unlike", "−": "unlike" };
const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

export function hands({ grid, tiles, marks, opened, like, free }) {
  const box = byId("words");
  const told = (tile) => {
    const hit = tile && grid.byId.get(tile.dataset.id);
    if (hit) tell(tile.closest(".tile").querySelector(".badge.score"), { told: hit, fused: hit.agreement.length > 1 });
  };

  grid.place.addEventListener("click", (event) => {
    if (!event.target.closest(".badge.score, .flag")) return;
    event.preventDefault(); // flags stand in the link to the film
    told(event.target.closest(".tile").querySelector(".card"));
  });

  byId("file").addEventListener("change", () => { if (byId("file").files[0]) opened(byId("file").files[0]); });
  addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); show(byId("drop"), true); } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) show(byId("drop"), false); });
  addEventListener("drop", (event) => {
    show(byId("drop"), false);
    if (!carries(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) opened(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => { if (event.clipboardData?.files[0]) { event.preventDefault(); opened(event.clipboardData.files[0]); } });

  addEventListener("keydown", (event) => {
    const tile = document.activeElement?.closest?.("#grid .card");
    const key = event.key.toLowerCase();
    if (event.key === "Escape") {
      if (byId("told").matches(":popover-open")) return; // the browser closes it
      if (document.activeElement === box && !box.value && free()) return;
      if (typing(event)) document.activeElement.blur();
      else box.focus();
    } else if (event.key === "ArrowDown" && document.activeElement === box) {
      if (walk(grid.place, event)) event.preventDefault();
    } else if (typing(event)) return;
    else if (event.key === "/") { event.preventDefault(); box.focus(); box.select(); }
    else if (key === "s" && tile) like(tile.dataset.id);
    else if (key === "d" && tile) told(tile);
    else if (event.key in SIGNS && tile && grid.byId.has(tile.dataset.id)) { event.preventDefault(); marks.turn(tile.dataset.id, SIGNS[event.key]); }
    else if (key === "r") marks.refine();
    else if (key === "w") tiles.toggle();
    else if (walk(grid.place, event)) event.preventDefault();
  });
}
