// What the monitor keeps: the newest rows, in bounded memory. Pure.

/** Rows that are kept. */
export const MOST_ROWS = 20000;
/** Characters that are kept. */
export const MOST_CHARACTERS = 4 << 20;

/**
 * @typedef {object} Row
 * @property {"line" | "part" | "sent" | "note"} kind
 * @property {string} text
 * @property {number} t seconds since 1970
 * @property {string} [state] of what was sent: "", "ok", or why not
 */

/** The newest rows. */
export class Log {
  /** @type {Row[]} */
  #rows = [];
  #characters = 0;
  /** Rows ever added. */
  end = 0;

  /** @param {Row} row */
  add(row) {
    this.#rows.push(row);
    this.#characters += row.text.length;
    this.end++;
    // In one go for many rows, since moving the rest costs the same for one.
    if (this.#rows.length > MOST_ROWS * 1.2 || this.#characters > MOST_CHARACTERS * 1.2) this.#trim();
  }

  /** Gives the newest row another text. @param {string} text */
  amend(text) {
    const row = this.#rows[this.#rows.length - 1];
    this.#characters += text.length - row.text.length;
    row.text = text;
  }

  #trim() {
    let drop = Math.max(0, this.#rows.length - MOST_ROWS);
    let gone = 0;
    for (let index = 0; index < drop; index++) gone += this.#rows[index].text.length;
    while (this.#characters - gone > MOST_CHARACTERS && drop < this.#rows.length - 1) {
      gone += this.#rows[drop++].text.length;
    }
    this.#rows.splice(0, drop);
    this.#characters -= gone;
  }

  clear() {
    this.#rows = [];
    this.#characters = 0;
  }

  get newest() {
    return this.#rows[this.#rows.length - 1];
  }

  get length() {
    return this.#rows.length;
  }

  /** The number of the oldest row that is kept. */
  get start() {
    return this.end - this.#rows.length;
  }

  /** The rows from number `from` to number `to`. @param {number} from @param {number} [to] */
  slice(from, to = this.end) {
    return this.#rows.slice(Math.max(0, from - this.start), Math.max(0, to - this.start));
  }
}

/** Puts chunks of text together to lines. */
export class Lines {
  #rest = "";
  #whole;

  /** @param {boolean} [whole] whether it begins with a line; what may be the rest of one is dropped */
  constructor(whole = false) {
    this.#whole = whole;
  }

  /** @param {string} text @returns {string[]} the lines that it completes */
  push(text) {
    const pieces = (this.#rest + text).split("\n");
    // A device that never ends a line must not fill the memory.
    this.#rest = (pieces.pop() ?? "").slice(-(16 << 10));
    if (!this.#whole && pieces.length > 0) {
      pieces.shift();
      this.#whole = true;
    }
    return pieces.map((line) => line.replace(/\r$/, ""));
  }
}
