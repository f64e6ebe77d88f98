// Which rows of the log are shown, and which of those are found. Pure.

import { plain } from "./ansi.js";

/** @typedef {import("./log.js").Row} Row */

export class Filter {
  /** What people search for, in lower case. */
  query = "";
  #only = "";
  #without = "";

  /** Shows only lines with one text, and none with another. @param {string} only @param {string} without */
  set(only, without) {
    this.#only = only.toLowerCase();
    this.#without = without.toLowerCase();
  }

  get isSet() {
    return this.#only !== "" || this.#without !== "";
  }

  /** Remarks and what was sent are always shown. @param {Row} row */
  isShown(row) {
    if (!this.isSet || row.kind === "note" || row.kind === "sent" || row.kind === "other") return true;
    const text = plain(row.text).toLowerCase();
    return text.includes(this.#only) && (this.#without === "" || !text.includes(this.#without));
  }

  /** @param {Row} row */
  isFound(row) {
    return this.query !== "" && plain(row.text).toLowerCase().includes(this.query);
  }
}
