// Seconds that a set is on the screen: not while the page is hidden, nor before its pictures are there.

export class Clock {
  constructor() {
    Object.assign(this, { seconds: 0, since: null, wanted: false });
    document.addEventListener("visibilitychange", () => this.turn());
  }

  begin(seconds) { this.wanted = false; this.turn(); this.seconds = seconds; }

  run() { this.wanted = true; this.turn(); }

  stop() { this.wanted = false; this.turn(); }

  turn() {
    const runs = this.wanted && !document.hidden;
    if (runs && this.since === null) this.since = performance.now();
    if (!runs && this.since !== null) { this.seconds += (performance.now() - this.since) / 1000; this.since = null; }
  }

  read() { return this.seconds + (this.since === null ? 0 : (performance.now() - this.since) / 1000); }
}
