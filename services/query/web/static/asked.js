// The film that is asked with: in the line of words, large beside the results, and any part of it to search by.

import { byId, el, show, thumbnail } from "./dom.js";
import { large } from "./large.js";
import { boxOf, boxText } from "./state.js";
import { Region } from "./region.js";

export class Asked {
  // changes: {take(): ask without the film, part(text): ask by a part of it}
  constructor(changes) {
    Object.assign(this, { changes, shown: undefined, region: null });
    byId("whole").addEventListener("click", () => this.changes.part(""));
  }

  // state.id, or an opened file {url}; url is empty until there is a picture of it, or where there is none.
  show(state, upload) {
    const picture = upload ? upload.url : state.id && thumbnail(state.id);
    const there = Boolean(upload || state.id);
    show(byId("subject"), there);
    show(byId("asked"), there);
    byId("words").placeholder = there ? "and words, if you like" : "Describe a film, or drop one anywhere on this page";
    if (!there) byId("file").value = "";
    const which = `${upload ? "upload" : state.id} ${picture}`;
    if (which !== this.shown) this.draw(state, upload, picture);
    this.shown = which;
    this.region?.set(boxOf(state.box));
    byId("part-said").textContent = !picture ? "There is no picture of this file." : state.box ? "Only this part is searched by." : "Drag over a part to search by it.";
    show(byId("whole"), Boolean(state.box));
  }

  draw(state, upload, picture) {
    byId("subject").replaceChildren(...(picture ? [el("img", { src: picture, alt: "" })] : []), upload ? "films like the opened one" : "films like this one",
      el("button", { type: "button", "aria-label": "Search by something else", onclick: () => this.changes.take() }, "×"));
    this.region = null;
    const holder = el("div", { class: "part" }, picture && el("img", { src: picture, alt: "The film asked with", draggable: "false" }));
    byId("asked-film").replaceChildren(holder);
    if (picture) this.region = new Region(holder, (box) => this.changes.part(box ? boxText(box) : ""), (said) => { byId("part-said").textContent = said; });
    const open = byId("open-asked");
    show(open, Boolean(picture || state.id));
    open.href = upload ? "#asked" : `/images/${encodeURIComponent(state.id)}`;
    open.onclick = upload ? (event) => { event.preventDefault(); large(picture); } : null;
  }
}
