// How series look: the names and colours that people chose, and which are hidden.

import { COLOURS } from "./chart.js";
import { visible } from "./format.js";

export class Appearance {
  /** @type {Record<string, string>} */
  #names = {};
  /** @type {Record<string, number>} */
  #colours = {};
  /** @type {Set<string>} */
  #hidden = new Set();

  /** @param {import("./memory.js").Memory} memory */
  constructor(memory) {
    this.memory = memory;
  }

  /** Takes what is remembered of a port. */
  load() {
    this.#names = { ...this.memory.get("names", {}) };
    this.#colours = { ...this.memory.get("colours", {}) };
    this.#hidden = new Set(this.memory.get("hidden", []));
  }

  /** Returns the name to show. @param {string} series */
  label(series) {
    return Object.hasOwn(this.#names, series) ? this.#names[series] : visible(series);
  }

  /** Names a series; no name gives it back its own. @param {string} series @param {string} name */
  rename(series, name) {
    const text = name.trim().slice(0, 60);
    if (text && text !== visible(series)) this.#names[series] = text;
    else delete this.#names[series];
    this.memory.set("names", this.#names);
  }

  /** Returns the index of a colour. @param {string} series @param {number} index that of the series */
  colour(series, index) {
    const chosen = this.#colours[series];
    return Number.isInteger(chosen) && chosen >= 0 && chosen < COLOURS ? chosen : index % COLOURS;
  }

  /** @param {string} series @param {number} colour */
  paint(series, colour) {
    this.#colours[series] = colour;
    this.memory.set("colours", this.#colours);
  }

  /** @param {string} series */
  isHidden(series) {
    return this.#hidden.has(series);
  }

  /** Hides a series, or shows it. @param {string} series */
  toggle(series) {
    if (!this.#hidden.delete(series)) this.#hidden.add(series);
    this.memory.set("hidden", [...this.#hidden]);
  }
}
