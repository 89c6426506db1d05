// The editor of a case: words in place, films in order, marks by the pointer. What was edited is saved with the version
// it was made from; where somebody else changed the same, both are shown and one chooses.

import { byId, el, show, typing } from "./dom.js";
import { call } from "./api.js";
import { pictureOf, inOrder } from "./teach-films.js";
import { Draft } from "./teach-draft.js";
import { Pen } from "./teach-pen.js";
import { filmFields, wordFields } from "./teach-fields.js";
import { Sorter } from "./teach-sort.js";
import { settle } from "./teach-conflict.js";

const TEXTS = ["history", "findings", "diagnosis", "differential", "discussion"];

export class Editor {
  constructor(file, here, films, acts) {
    Object.assign(this, { file, here, films, acts, on: false });
    this.leaving = (event) => { if (this.draft.dirty) event.preventDefault(); };
  }

  begin() {
    this.on = true;
    this.draft = new Draft(this.file, () => this.look());
    this.pen = new Pen(this.films.stage, byId("pens"), { step: (why) => this.draft.step(why), undo: () => this.undo(), changed: () => { this.draft.look(); this.labels(); } });
    this.sorter = new Sorter(this.films.strip, (key, before) => { this.draft.place(key, before); this.fill(key); });
    this.note = el("input", { type: "text", maxlength: "4000", "data-field": "note", placeholder: "what was changed (for the list)", "aria-label": "What was changed" });
    addEventListener("beforeunload", this.leaving);
    this.form();
    this.fill(this.films.shown?.key);
    show(byId("edit"), true);
    show(byId("pens"), true);
    byId("films").classList.add("editing");
    this.look();
  }

  end() {
    this.on = false;
    removeEventListener("beforeunload", this.leaving);
    this.pen.end();
    this.sorter.end();
    show(byId("edit"), false);
    show(byId("pens"), false);
    show(byId("conflict"), false);
    byId("films").classList.remove("editing");
    this.acts.say("");
    this.acts.done();
  }

  form() {
    this.save = el("button", { type: "button", class: "button primary", title: "Ctrl S", onclick: () => this.keep() }, "Save");
    this.leave = el("button", { type: "button", class: "button", onclick: () => this.close() }, "Done");
    this.state = el("span", { class: "quiet small", role: "status" });
    byId("edit").onsubmit = (event) => event.preventDefault();
    byId("edit").replaceChildren(
      el("p", { class: "row save-row" }, this.save, this.leave, this.state, el("span", { class: "entry" }, this.note)),
      ...wordFields(this.draft, () => this.fill(this.films.shown?.key), (id) => this.add(id)));
  }

  fill(key) { return this.films.fill(this.draft.document.images, this.draft.document.sections, pictureOf(this.file.file_id, this.file.version), key); }

  // Another film is large: its own fields, and the pen on its marks.
  turned(image) {
    const order = inOrder(this.draft.document.images, this.draft.document.sections);
    this.pen.on(image);
    const own = filmFields(this.draft, image, {
      move: (by) => { this.draft.shift(image.key, by); this.fill(image.key); },
      drop: () => { this.draft.step("film"); this.draft.document.images = this.draft.document.images.filter((one) => one.key !== image.key); this.draft.look(); this.fill(order[order.indexOf(image) + 1]?.key); },
      placed: () => this.fill(image.key),
    });
    this.marks = el("ol", { class: "mark-list", "aria-label": "Marks on this film" });
    byId("under-film").replaceChildren(this.marks, ...own);
    this.labels();
  }

  // The marks by name: their words, and taking them away without a pointer.
  labels() {
    const image = this.films.shown;
    if (!image || !this.marks) return;
    if (this.marks.contains(document.activeElement) && this.marks.children.length === image.annotations.length) return;
    this.marks.replaceChildren(...image.annotations.map((mark, n) => el("li", {},
      el("span", { class: "quiet" }, mark.kind), " ",
      el("input", { type: "text", value: mark.text, maxlength: "300", placeholder: mark.kind === "text" ? "what it says" : "label", "aria-label": `Words of the ${mark.kind}`, "data-mark": n, onfocus: () => { this.draft.step("label"); this.pen.choose(n); }, oninput: (event) => { mark.text = event.target.value; this.pen.draw(); this.draft.look(); } }),
      el("button", { type: "button", class: "link", "aria-label": `Take the ${mark.kind} away`, onclick: () => this.pen.drop(n) }, "×"))));
  }

  async add(id) {
    const film = await call(`/v1/images/${encodeURIComponent(id)}`);
    this.draft.step("film");
    const key = this.draft.add(film.image_id);
    this.draft.look();
    await this.fill(key);
  }

  look() {
    const { dirty } = this.draft;
    this.state.textContent = dirty ? "Not saved yet." : this.saved ?? "";
    this.state.classList.toggle("unsaved", dirty);
    this.save.disabled = !dirty;
    this.leave.textContent = dirty ? "Leave" : "Done";
    if (!dirty) delete this.leave.dataset.sure;
    this.pen.undoable(this.draft.past.length > 0);
  }

  undo() {
    const at = this.films.shown?.key;
    if (this.draft.undo()) { this.form(); this.fill(at); this.look(); }
  }

  async keep(document_ = this.draft.document, from = this.file.version) {
    this.acts.tell("");
    this.save.disabled = true;
    try {
      const sent = this.draft.told(document_);
      const made = await call(this.here, { made_from: from, document: sent, note: this.note.value.trim() }, undefined, "PATCH");
      show(byId("conflict"), false);
      const bare = (one) => JSON.stringify([one.title, one.images.map((image) => [image.key, image.caption, image.annotations.length]), TEXTS.map((key) => one[key])]).replace(/\\n|\s/g, "");
      const merged = bare(made.document) !== bare(sent);
      this.saved = `Saved as version ${made.version}${merged ? ", with what others changed meanwhile" : ""}.`;
      this.took(made);
    } catch (error) {
      if (error.code === "FAILED_PRECONDITION") await this.clash(error);
      else this.acts.tell(error.message);
      this.look();
    }
  }

  took(made) {
    const at = this.films.shown?.key;
    this.file = made;
    this.draft.begin(made);
    this.note.value = "";
    this.acts.saved(made);
    this.form();
    this.fill(at);
    this.look();
  }

  async clash(error) {
    const latest = await call(this.here);
    settle(byId("conflict"), error.message, this.draft, latest, (merged) => this.keep(merged, latest.version));
  }

  close() {
    if (this.draft.dirty && this.leave.dataset.sure !== "yes") { this.leave.dataset.sure = "yes"; this.leave.textContent = "Really leave? What is not saved is lost"; return; }
    this.end();
  }

  key(event) {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "s") { event.preventDefault(); if (this.draft.dirty) this.keep(); return true; }
    const inWords = event.target.closest?.("input, textarea, select");
    if ((event.ctrlKey || event.metaKey) && key === "z" && !inWords) { event.preventDefault(); this.undo(); return true; }
    if (event.altKey && (key === "arrowleft" || key === "arrowright") && !inWords && this.films.shown) {
      event.preventDefault();
      this.draft.shift(this.films.shown.key, key === "arrowleft" ? -1 : 1);
      this.fill(this.films.shown.key).then(() => this.films.strip.querySelector("[aria-current]")?.focus());
      return true;
    }
    if (typing(event)) return false;
    if (this.pen.key(event)) return true;
    if (key === "escape") { event.preventDefault(); this.close(); return true; }
    return false;
  }
}
