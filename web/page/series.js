// The data of the plotter: the newest samples of a few series, in bounded memory. Pure.

import { csvField } from "./format.js";

/** Samples to keep; the oldest are overwritten. */
export const MAX_SAMPLES = 1 << 15;
/** Series to keep. Others are ignored, and up to `MAX_IGNORED` of them are counted. */
export const MAX_SERIES = 16, MAX_IGNORED = 100;

/** Marks an interruption of a series. NaN marks a row without a value, as when labels alternate between lines. */
export const GAP = Infinity;

/**
 * Returns the values of a line by name. Those without names are named by their place.
 * @param {Record<string, number | null> | (number | null)[]} values @returns {Map<string, number>}
 */
export function named(values) {
  const pairs = Object.entries(values);
  const name = (/** @type {string} */ key) => (!Array.isArray(values) ? key : pairs.length === 1 ? "value" : `value ${Number(key) + 1}`);
  // A number that is missing interrupts its series.
  return new Map(pairs.map(([key, value]) => [name(key), value ?? GAP]));
}

/** A ring buffer of rows of numbers, ordered by time. */
export class Table {
  /** The number of rows ever added. Row `n` is stored at `n % MAX_SAMPLES`. */
  end = 0;
  times = new Float64Array(MAX_SAMPLES);
  /** @type {Map<string, Float64Array>} */
  series = new Map();
  /** Names of series that were ignored. @type {Set<string>} */
  ignored = new Set();

  /** The first row that is still kept. */
  get start() {
    return Math.max(0, this.end - MAX_SAMPLES);
  }

  /** @param {number} t in seconds @param {Map<string, number>} values */
  add(t, values) {
    const at = this.end % MAX_SAMPLES;
    // Times must never go back, since at() is a binary search.
    this.times[at] = this.end > 0 ? Math.max(t, this.time(this.end - 1)) : t;
    for (const column of this.series.values()) column[at] = NaN;
    for (const [name, value] of values) {
      const column = this.series.get(name) ?? this.#column(name);
      if (column) column[at] = Number.isFinite(value) ? value : GAP;
    }
    this.end++;
  }

  /** @param {string} name */
  #column(name) {
    if (this.series.size >= MAX_SERIES) {
      if (this.ignored.size < MAX_IGNORED) this.ignored.add(name);
      return undefined;
    }
    const column = new Float64Array(MAX_SAMPLES).fill(NaN);
    this.series.set(name, column);
    return column;
  }

  /** Interrupts all series, because samples were missed. */
  gap() {
    if (this.end === 0) return;
    const gaps = new Map(Array.from(this.series.keys(), (name) => [name, GAP]));
    this.add(this.time(this.end - 1), gaps);
  }

  clear() {
    this.end = 0;
    this.series.clear();
    this.ignored.clear();
  }

  /** Returns an independent copy. */
  copy() {
    const copy = new Table();
    copy.end = this.end;
    copy.times = this.times.slice();
    for (const [name, column] of this.series) copy.series.set(name, column.slice());
    copy.ignored = new Set(this.ignored);
    return copy;
  }

  /** @param {number} row */
  time(row) {
    return this.times[row % MAX_SAMPLES];
  }

  /** Returns the first row at or after time `t`. @param {number} t */
  at(t) {
    let [low, high] = [this.start, this.end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time(middle) < t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns the value of a series at a row, or else the value before it. @param {string} name @param {number} row */
  value(name, row) {
    const column = this.series.get(name);
    for (let at = Math.min(row, this.end - 1), left = 1000; column && at >= this.start && left > 0; at--, left--) {
      const value = column[at % MAX_SAMPLES];
      if (value === GAP) return NaN;
      if (!Number.isNaN(value)) return value;
    }
    return NaN;
  }

  /**
   * Returns the lowest and highest value in a range of rows.
   * @param {Iterable<string>} names @param {number} from @param {number} to
   */
  range(names, from, to) {
    let [low, high] = [Infinity, -Infinity];
    for (const name of names) {
      const column = this.series.get(name);
      for (let row = from; column && row < to; row++) {
        const value = column[row % MAX_SAMPLES];
        if (value < low && Number.isFinite(value)) low = value;
        if (value > high && Number.isFinite(value)) high = value;
      }
    }
    return low <= high ? { low, high } : undefined;
  }

  /** Returns all samples as CSV, with times in seconds since 1970. */
  csv() {
    const names = [...this.series.keys()];
    const rows = [["time", ...names.map(csvField)].join(",")];
    for (let row = this.start; row < this.end; row++) {
      const values = names.map((name) => {
        const value = this.series.get(name)?.[row % MAX_SAMPLES] ?? NaN;
        return Number.isFinite(value) ? String(value) : "";
      });
      if (values.some((value) => value !== "")) rows.push([this.time(row).toFixed(6), ...values].join(","));
    }
    return rows.join("\r\n") + "\r\n";
  }
}

/**
 * Returns a scale that includes every value. It grows at once but shrinks slowly, to avoid jitter.
 * @param {{low: number, high: number} | undefined} before
 * @param {{low: number, high: number}} range
 */
export function scale(before, range) {
  const span = range.high - range.low || Math.abs(range.high) || 1;
  const wanted = { low: range.low - span * 0.06, high: range.high + span * 0.06 };
  // Jump where easing would take seconds, as after a single 1e9, or never end, as after 1e308.
  if (!before || !(before.high - before.low < 100 * (wanted.high - wanted.low))) return wanted;
  const ease = (/** @type {number} */ from, /** @type {number} */ to) => from + (to - from) * 0.06;
  return {
    low: wanted.low < before.low ? Math.min(wanted.low, before.low) : ease(before.low, wanted.low),
    high: wanted.high > before.high ? Math.max(wanted.high, before.high) : ease(before.high, wanted.high),
  };
}
