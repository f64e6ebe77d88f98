// The scale of the values: that of all series, one for each series, or one that people set.

import { scale, valueAt } from "./axis.js";

/** @typedef {import("./axis.js").Range} Range */

export class Scales {
  /** The scale that all series share. @type {Range | undefined} */
  #shared;
  /** The scales of series by their name, where each has its own. @type {Map<string, Range>} */
  #own = new Map();
  /** The scale that people set, or undefined. @type {Range | undefined} */
  #fixed;
  /** True if zooming to a selection set the scale, which then ends with it. */
  #isSelected = false;
  /** Called when people have chosen a scale. */
  onChoice = () => {};

  /**
   * @param {Pick<typeof import("./elements.js").plot, "scale" | "bounds" | "low" | "high">} elements
   * @param {() => void} redraw
   */
  constructor(elements, redraw) {
    this.elements = elements;
    this.redraw = redraw;
    elements.scale.addEventListener("change", () => this.#choose());
    for (const bound of [elements.low, elements.high]) bound.addEventListener("input", () => this.#read());
  }

  get #isOwn() {
    return this.elements.scale.value === "own";
  }

  get #common() {
    return this.#fixed ?? this.#shared ?? { low: 0, high: 1 };
  }

  /** Forgets the scales that follow the values, so that they fit at once. */
  restart() {
    this.#shared = undefined;
    this.#own.clear();
  }

  /**
   * Follows the values that are shown.
   * @param {import("./series.js").Table} table @param {string[]} names
   * @param {{first: number, last: number}} rows @param {boolean} isGradual
   */
  update(table, names, { first, last }, isGradual) {
    if (!this.#isOwn) {
      const range = table.range(names, first, last);
      if (range) this.#shared = scale(isGradual ? this.#shared : undefined, range);
      return;
    }
    for (const name of names) {
      const range = table.range([name], first, last);
      if (range) this.#own.set(name, scale(isGradual ? this.#own.get(name) : undefined, range));
    }
  }

  /** Returns the scale of a series. @param {string} name */
  of(name) {
    return (this.#isOwn && this.#own.get(name)) || this.#common;
  }

  /** The scale of the axis, and the unit of its numbers. */
  get axis() {
    return this.#isOwn ? { scale: { low: 0, high: 100 }, unit: " %" } : { scale: this.#common, unit: "" };
  }

  /** Zooms to a part of the scale, where 0 is its lower and 1 its upper end. @param {number} from @param {number} to */
  select(from, to) {
    if (this.#isOwn) return;
    const bounded = (/** @type {number} */ at) => valueAt(this.#common, Math.min(Math.max(at, 0), 1));
    const range = { low: bounded(from), high: bounded(to) };
    const isFirst = !this.#fixed;
    if (range.low < range.high) this.#fix(range);
    this.#isSelected ||= isFirst;
  }

  /** Ends the zoom to a selection. */
  endSelection() {
    if (this.#isSelected) this.#fix(undefined);
  }

  #choose() {
    this.#isSelected = false;
    this.#fix(this.elements.scale.value === "fixed" ? this.#common : undefined);
    this.onChoice();
  }

  /** Sets the scale, or lets it follow the values. @param {Range | undefined} range */
  #fix(range) {
    const { scale: choice, bounds, low, high } = this.elements;
    this.#fixed = range;
    this.#isSelected &&= Boolean(range);
    if (range) choice.value = "fixed";
    else if (choice.value === "fixed") choice.value = "auto";
    bounds.hidden = !range;
    if (range) {
      const digits = (/** @type {number} */ value) => String(Number(value.toPrecision(4)));
      [low.value, high.value] = [digits(range.low), digits(range.high)];
      this.#check();
    }
    this.restart();
    this.redraw();
  }

  /** Takes the bounds that people typed. */
  #read() {
    if (!this.#check()) return;
    this.#isSelected = false;
    this.#fixed = { low: this.elements.low.valueAsNumber, high: this.elements.high.valueAsNumber };
    this.redraw();
    this.onChoice();
  }

  #check() {
    const { low, high } = this.elements;
    const isRight = low.valueAsNumber < high.valueAsNumber;
    high.setCustomValidity(isRight ? "" : "The upper bound must be above the lower one");
    return isRight;
  }

  /** What people chose, to be remembered. */
  get choice() {
    return this.#isSelected ? { kind: "auto" } : { kind: this.elements.scale.value, ...this.#fixed };
  }

  /** @param {{kind?: unknown, low?: unknown, high?: unknown}} choice */
  set choice({ kind, low, high }) {
    this.#isSelected = false;
    this.elements.scale.value = kind === "own" ? "own" : "auto";
    const isFixed = kind === "fixed" && typeof low === "number" && typeof high === "number" && low < high;
    this.#fix(isFixed ? { low, high } : undefined);
  }
}
