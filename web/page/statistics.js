// Counts what arrives, and estimates the delay and the clock of serial-ws.

/** Milliseconds after connecting in which lines may come from the history. */
const CATCH_UP_TIME = 1000;

const { hostname } = location;
const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname) || hostname.endsWith(".localhost");

export class Statistics {
  /** Estimated seconds that the clock of serial-ws is behind this page's clock. */
  clockOffset = 0;
  /** The time of the last data or change of status, in milliseconds. */
  activeAt = 0;
  #connectedAt = 0;
  /** Lines or chunks, and the longest delay, since the last update. */
  #pieces = 0;
  #worst = 0;
  #missed = 0;
  /** The shortest delay of any line. From another computer it includes the difference between the clocks. */
  #minDelay = Infinity;

  /** @param {typeof import("./elements.js").readout} elements */
  constructor(elements) {
    this.elements = elements;
    elements.dismiss.addEventListener("click", () => {
      this.#missed = 0;
      elements.missedFigure.hidden = true;
    });
  }

  /** Returns the time on the clock of serial-ws. */
  now() {
    return Date.now() / 1000 - this.clockOffset;
  }

  connected() {
    this.activeAt = this.#connectedAt = Date.now();
  }

  /** Counts a line or a chunk. @param {number} t the time at which it was read */
  count(t) {
    this.activeAt = Date.now();
    const delay = this.activeAt / 1000 - t;
    if (this.activeAt - this.#connectedAt > CATCH_UP_TIME) {
      this.#minDelay = Math.min(this.#minDelay, delay);
      // Within one computer no line takes a second, so "localhost" must be the near end of a tunnel.
      this.clockOffset = isLocal && Math.abs(this.#minDelay) < 1 ? 0 : this.#minDelay;
    }
    // Lines from the history are old, not slow.
    const isNew = t * 1000 > this.#connectedAt - this.clockOffset * 1000;
    if (!isNew) return;
    this.#pieces++;
    this.#worst = Math.max(this.#worst, delay - this.clockOffset);
  }

  /** @param {number} lines 0 if it is not known how many */
  miss(lines) {
    this.#missed += lines;
    this.elements.missedFigure.hidden = false;
    this.elements.missed.textContent = this.#missed > 0 ? this.#missed.toLocaleString("en") : "some";
  }

  /** Shows the last second. @param {boolean} isOpen @param {string} unit such as "lines/s" */
  show(isOpen, unit) {
    const { rate, delay } = this.elements;
    const millis = Math.max(1, Math.round(this.#worst * 1000));
    rate.textContent = isOpen ? `${this.#pieces.toLocaleString("en")} ${unit}` : "–";
    if (!isOpen || this.#pieces === 0) delay.textContent = "–";
    else delay.textContent = millis > 999 ? `${(millis / 1000).toFixed(1)} s` : `${millis} ms`;
    [this.#pieces, this.#worst] = [0, 0];
  }
}
