// A case while it is edited: the document, the version it was made from, and the way back.

import { inOrder } from "./teach-films.js";
import { same } from "./teach-merge.js";

export class Draft {
  constructor(file, changed) { this.changed = changed; this.begin(file); }

  begin(file) { Object.assign(this, { base: file.document, document: structuredClone(file.document), past: [] }); }

  get dirty() { return !same(this.told(this.document), this.told(this.base)); }

  look() { this.changed(); }

  // Before something is changed that `undo` brings back: films, their order, their marks. Typing has the browser's own.
  step() {
    this.past.push(structuredClone(this.document.images));
    if (this.past.length > 200) this.past.shift();
  }

  undo() {
    const now = new Map(this.document.images.map((one) => [one.key, one]));
    for (let before = this.past.pop(); before; before = this.past.pop()) {
      const images = before.map((one) => ({ ...(now.get(one.key) ?? one), annotations: one.annotations, section: one.section }));
      if (same(images, this.document.images)) continue; // nothing was done after all
      this.document.images = images;
      return true;
    }
    return false;
  }

  add(imageId) {
    const key = `f${Math.random().toString(36).slice(2, 13)}`;
    this.document.images.push({ key, image_id: imageId, blob: "", caption: "", key_note: "", annotations: [], section: "", why: "", severity: "", licence: "", attribution: "" });
    return key;
  }

  // Move a film to stand before another (to the end of all where there is none), in that one's section.
  place(key, before) {
    const order = inOrder(this.document.images, this.document.sections);
    const film = order.find((one) => one.key === key), rest = order.filter((one) => one !== film), other = rest.find((one) => one.key === before);
    if (!film || before === key) return;
    this.step();
    film.section = (other ?? rest.at(-1) ?? film).section;
    rest.splice(other ? rest.indexOf(other) : rest.length, 0, film);
    this.document.images = rest;
    this.look();
  }

  // One place on or back; over the border of a section first into that section.
  shift(key, by) {
    const order = inOrder(this.document.images, this.document.sections);
    const at = order.findIndex((one) => one.key === key), other = order[at + by];
    if (!other) return;
    this.step();
    if (order[at].section === other.section) [order[at], order[at + by]] = [other, order[at]];
    else order[at].section = other.section;
    this.document.images = order;
    this.look();
  }

  // As it is sent: without marks that say nothing, and empty lines.
  told(document_) {
    const sent = structuredClone(document_);
    for (const image of sent.images) image.annotations = image.annotations.filter((mark) => mark.kind !== "text" || mark.text.trim());
    for (const key of ["differential", "keywords", "references"]) sent[key] = sent[key].map((line) => line.trim()).filter(Boolean);
    sent.authors = sent.authors.filter((one) => one.name || one.affiliation || one.contact);
    return sent;
  }
}
