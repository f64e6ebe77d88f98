// Turns what the board sends into rows of the log: lines, unbroken text, or a hex dump.

import { frame, hex } from "./format.js";

/** Characters in a row of unbroken text; more start a new row. */
const MAX_ROW_LENGTH = 4096;

/** Pixels beside the rows, as in the style sheet. */
const PADDING = 20;

/** The framings whose frames may be bytes. */
const FRAMES = /^(len|gap|start|slip|cobs|packet)\b/;

/** @typedef {import("./log.js").Row} Row */

export class Received {
  #decoder = new TextDecoder();
  /** Bytes in the last, incomplete row of the hex view. @type {number[]} */
  #lastRow = [];
  #bytesPerRow = 16;
  /** True if the next chunk continues the newest row. */
  #isUnfinished = false;

  /** @param {import("./log.js").Log} log @param {import("./monitor.js").Monitor} monitor */
  constructor(log, monitor) {
    this.log = log;
    this.monitor = monitor;
    const { rows, ruler } = monitor.elements;
    // Where there is room for a row of sixteen bytes: see hex() in format.js.
    new ResizeObserver(() => {
      const columns = (rows.clientWidth - PADDING) / (ruler.getBoundingClientRect().width / ruler.textContent.length);
      this.#bytesPerRow = columns >= 8 + 48 + 17 ? 16 : 8;
    }).observe(rows);
  }

  /** Begins anew, for another port or view. */
  restart() {
    [this.#decoder, this.#lastRow, this.#isUnfinished] = [new TextDecoder(), [], false];
  }

  /** Separates what comes from what came before a gap. */
  gap() {
    this.#decoder = new TextDecoder();
  }

  /** Adds a row. @param {Row} row */
  add(row) {
    this.log.add(row);
    if (row.kind !== "line") this.#isUnfinished = false;
    this.monitor.requestFrame();
  }

  /**
   * Adds a line, or a frame of a framing that is not for lines.
   * @param {string} text @param {any} line @param {string} framing
   */
  addLine(text, { t, bytes, partial }, framing) {
    const shown = FRAMES.test(framing) ? frame(text, bytes) : text;
    this.add({ kind: partial ? "part" : "line", text: shown, t });
  }

  /** Adds a chunk as text: one row for each line, and one for an unfinished line. */
  addText(bytes, { t }) {
    const pieces = this.#decoder.decode(bytes, { stream: true }).split("\n");
    pieces.forEach((piece, index) => {
      const whole = piece.replace(/\r$/, "");
      if (index > 0) this.#isUnfinished = false;
      if (whole === "" && index > 0 && index === pieces.length - 1) return;
      const { newest } = this.log;
      if (this.#isUnfinished && newest?.kind === "line" && newest.text.length < MAX_ROW_LENGTH) {
        this.#amend(newest.text + whole);
      } else {
        this.add({ kind: "line", text: whole, t });
      }
      this.#isUnfinished = true;
    });
  }

  /** Adds a chunk as a hex dump, with as many bytes in a row as fit. */
  addBytes(bytes, { t, offset }) {
    const perRow = this.#bytesPerRow;
    const continues = this.#isUnfinished && this.log.newest?.kind === "line" && this.#lastRow.length < perRow;
    const before = continues ? this.#lastRow : [];
    const all = Uint8Array.from([...before, ...bytes]);
    hex(all, offset - before.length, perRow).forEach((text, index) => {
      if (index === 0 && continues) this.#amend(text);
      else this.add({ kind: "line", text, t });
    });
    this.#lastRow = [...all.subarray(all.length - (all.length % perRow || perRow))];
    this.#isUnfinished = true;
  }

  /** Replaces the text of the newest row. @param {string} text */
  #amend(text) {
    this.log.amend(text);
    this.monitor.refresh(this.log.newest);
  }
}
