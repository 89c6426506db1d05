// Answers on their way: kept on this device until the server has them, and sent again when it can be reached.

import { call } from "./api.js";

const PASSES = new Set(["UNREACHABLE", "UNREADABLE", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL"]);
const FIRST = 1000, MOST = 20_000; // milliseconds between tries

export class Outbox {
  // told({ waiting, refused }): how many answers wait, and what the server said of one that it will never take.
  constructor(base, told) {
    Object.assign(this, { base, told, name: `hilum.read.${base.slice(-6)}`, pause: FIRST, timer: 0, sending: false });
    try { this.waiting = JSON.parse(localStorage.getItem(this.name)) ?? {}; } catch { this.waiting = {}; }
    addEventListener("online", () => this.send());
  }

  get count() { return Object.keys(this.waiting).length; }

  put(number, answer) {
    this.waiting[number] = answer;
    this.keep();
    this.send();
  }

  keep() {
    try { localStorage.setItem(this.name, JSON.stringify(this.waiting)); } catch { /* a browser that keeps nothing: this page does, while it is open */ }
  }

  async send() {
    clearTimeout(this.timer);
    if (this.sending) return;
    this.sending = true;
    let refused = "";
    for (const [number, answer] of Object.entries(this.waiting)) {
      try {
        await call(`${this.base}/sets/${number}:answer`, answer);
      } catch (error) {
        if (PASSES.has(error.code)) {
          this.timer = setTimeout(() => this.send(), this.pause);
          this.pause = Math.min(MOST, this.pause * 2);
          break;
        }
        refused = error.message;
      }
      if (this.waiting[number] === answer) delete this.waiting[number]; // it may have changed meanwhile
      this.pause = FIRST;
      this.keep();
    }
    this.sending = false;
    this.told({ waiting: this.count, refused });
    if (this.count && this.pause === FIRST) this.send();
  }
}
