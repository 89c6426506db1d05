// A picture on a canvas with window and level: width across, centre up and down, as on a workstation.

const FULL = { width: 255, centre: 127.5, inverted: false };

export class Viewer {
  constructor(canvas, picture, moved) {
    Object.assign(this, { canvas, moved, twin: null, master: null, ...FULL });
    const { naturalWidth: w, naturalHeight: h } = picture;
    Object.assign(canvas, { width: w, height: h });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.context.drawImage(picture, 0, 0);
    this.shown = this.context.getImageData(0, 0, w, h);
    this.grey = Uint8Array.from({ length: w * h }, (_, i) => this.shown.data[4 * i]);
    this.hold();
    this.draw();
  }

  // Another film is seen under the same window; hands on either move both.
  pair(other) {
    this.twin = other;
    other.master = this;
    this.draw();
  }

  draw() {
    const table = new Uint8ClampedArray(256);
    for (let v = 0; v < 256; v += 1) {
      const seen = ((v - this.centre) / this.width + 0.5) * 255;
      table[v] = this.inverted ? 255 - seen : seen;
    }
    const out = this.shown.data;
    for (let i = 0; i < this.grey.length; i += 1) out[4 * i] = out[4 * i + 1] = out[4 * i + 2] = table[this.grey[i]];
    this.context.putImageData(this.shown, 0, 0);
    this.moved(this);
    if (this.twin) { Object.assign(this.twin, { width: this.width, centre: this.centre, inverted: this.inverted }); this.twin.draw(); }
  }

  change(width, centre) {
    const one = this.master ?? this;
    one.width = Math.min(512, Math.max(2, one.width + width));
    one.centre = Math.min(255, Math.max(0, one.centre + centre));
    one.draw();
  }

  reset() { const one = this.master ?? this; Object.assign(one, FULL); one.draw(); }

  invert() { this.inverted = !this.inverted; this.draw(); }

  get changed() { return this.width !== FULL.width || this.centre !== FULL.centre || this.inverted; }

  hold() {
    this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); this.from = [event.clientX, event.clientY]; });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.from) return;
      this.change((event.clientX - this.from[0]) * 0.6, (event.clientY - this.from[1]) * 0.4);
      this.from = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { this.from = null; });
    this.canvas.addEventListener("dblclick", () => this.reset());
  }
}
