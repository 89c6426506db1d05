// The film that was opened, large: window, level and zoom as on a stored film's own page.

import { el } from "./dom.js";
import { Viewer } from "./viewer.js";
import { Zoom } from "./zoom.js";

const STEER = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] };

export function large(url) {
  const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": "The opened film. Drag, or use the arrow keys, to change window and level; plus and minus zoom, 0 resets, I inverts, Escape closes." });
  const [wl, zoomed] = [el("output"), el("output")];
  const screen = el("div", { class: "screen" }, el("div", { class: "sheet" }, canvas));
  const close = el("button", { type: "button", class: "link", onclick: () => box.close() }, "close");
  const box = el("dialog", { class: "viewer large", "aria-label": "The opened film, large", onclose: () => box.remove() }, screen,
    el("p", { class: "under" }, el("span", {}, "Nothing of it is kept."), el("span", { class: "tools" }, wl, zoomed, close)));
  const picture = new Image();
  picture.onload = () => {
    const viewer = new Viewer(canvas, picture, ({ width, centre, changed }) => { wl.textContent = changed ? `W ${Math.round(width)} L ${Math.round(centre)}` : ""; });
    const zoom = new Zoom(screen, zoomed);
    const keys = { "+": () => zoom.closer(), "=": () => zoom.closer(), "-": () => zoom.further(), i: () => viewer.invert(), 0: () => { viewer.reset(); zoom.reset(); } };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the page has keys of its own
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [across, down] = STEER[event.key] ?? [0, 0];
      if (across || down) { if (event.shiftKey) zoom.pan(-6 * across, -12 * down); else viewer.change(across, down); } else keys[event.key.toLowerCase()]?.();
      if (event.key in STEER) event.preventDefault();
    });
    document.body.append(box);
    box.showModal();
    canvas.focus();
  };
  picture.src = url;
}
