// The rows that the monitor keeps: the newest ones, in bounded memory. Pure.

/** Rows to keep; the oldest are dropped. */
export const MAX_ROWS = 20000;
/** Characters to keep in all rows; the oldest rows are dropped. */
export const MAX_CHARACTERS = 4 << 20;

/**
 * @typedef {object} Row
 * @property {"line" | "part" | "sent" | "other" | "note"} kind "other" is what another client sent
 * @property {string} text
 * @property {number} t seconds since 1970
 * @property {string} [state] of a sent text: undefined while pending, "ok", or an error message; of another's, who sent it
 */

/** The newest rows. */
export class Log {
  /** @type {Row[]} */
  #rows = [];
  #characters = 0;
  /** The number of rows ever added. */
  end = 0;

  /** @param {Row} row */
  add(row) {
    this.#rows.push(row);
    this.#characters += row.text.length;
    this.end++;
    // Trims many rows at once, since moving the rest costs the same for one.
    if (this.#rows.length > MAX_ROWS * 1.2 || this.#characters > MAX_CHARACTERS * 1.2) this.#trim();
  }

  /** Replaces the text of the newest row. @param {string} text */
  amend(text) {
    const row = this.#rows[this.#rows.length - 1];
    this.#characters += text.length - row.text.length;
    row.text = text;
  }

  #trim() {
    let drop = Math.max(0, this.#rows.length - MAX_ROWS);
    let gone = 0;
    for (let index = 0; index < drop; index++) gone += this.#rows[index].text.length;
    while (this.#characters - gone > MAX_CHARACTERS && drop < this.#rows.length - 1) {
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

  /** The index of the oldest row that is kept. */
  get start() {
    return this.end - this.#rows.length;
  }

  /** Returns the rows from index `from` up to, but not including, `to`. @param {number} from @param {number} [to] */
  slice(from, to = this.end) {
    return this.#rows.slice(Math.max(0, from - this.start), Math.max(0, to - this.start));
  }
}
