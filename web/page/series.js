// What the plotter knows: the newest samples of a few series, in bounded memory. Pure.

import { csvField } from "./parse.js";

/** Samples that are kept; the oldest go first. */
export const MOST_SAMPLES = 1 << 15;
/** Series that are kept; more are passed over, and so many of them counted. */
export const MOST_SERIES = 16, MOST_PASSED = 100;

/** Where a series is interrupted. NaN is where it has no value, as when each line has another label. */
export const GAP = Infinity;

/** Rows of numbers by time, the oldest of which are overwritten. */
export class Table {
  /** Rows ever added; row `n` lies at `n % MOST_SAMPLES`. */
  end = 0;
  times = new Float64Array(MOST_SAMPLES);
  /** @type {Map<string, Float64Array>} */
  series = new Map();
  /** Names that had no room. @type {Set<string>} */
  passed = new Set();

  /** The first row that is still kept. */
  get start() {
    return Math.max(0, this.end - MOST_SAMPLES);
  }

  /** @param {number} t in seconds @param {Map<string, number>} values */
  add(t, values) {
    const at = this.end % MOST_SAMPLES;
    // Times never go back, or the search below would fail.
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
    if (this.series.size >= MOST_SERIES) {
      if (this.passed.size < MOST_PASSED) this.passed.add(name);
      return undefined;
    }
    const column = new Float64Array(MOST_SAMPLES).fill(NaN);
    this.series.set(name, column);
    return column;
  }

  /** Interrupts all series, where samples were missed. */
  gap() {
    if (this.end === 0) return;
    const gaps = new Map(Array.from(this.series.keys(), (name) => [name, GAP]));
    this.add(this.time(this.end - 1), gaps);
  }

  clear() {
    this.end = 0;
    this.series.clear();
    this.passed.clear();
  }

  /** The same, which stays as it is. */
  copy() {
    const copy = new Table();
    copy.end = this.end;
    copy.times = this.times.slice();
    for (const [name, column] of this.series) copy.series.set(name, column.slice());
    copy.passed = new Set(this.passed);
    return copy;
  }

  /** @param {number} row */
  time(row) {
    return this.times[row % MOST_SAMPLES];
  }

  /** The first row at or after a time. @param {number} t */
  at(t) {
    let [low, high] = [this.start, this.end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time(middle) < t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The value of a series at a row, or the one before it. @param {string} name @param {number} row */
  value(name, row) {
    const column = this.series.get(name);
    for (let at = Math.min(row, this.end - 1), left = 1000; column && at >= this.start && left > 0; at--, left--) {
      const value = column[at % MOST_SAMPLES];
      if (value === GAP) return NaN;
      if (!Number.isNaN(value)) return value;
    }
    return NaN;
  }

  /**
   * The least and greatest value from one row to another.
   * @param {Iterable<string>} names @param {number} from @param {number} to
   */
  range(names, from, to) {
    let [low, high] = [Infinity, -Infinity];
    for (const name of names) {
      const column = this.series.get(name);
      for (let row = from; column && row < to; row++) {
        const value = column[row % MOST_SAMPLES];
        if (value < low && Number.isFinite(value)) low = value;
        if (value > high && Number.isFinite(value)) high = value;
      }
    }
    return low <= high ? { low, high } : undefined;
  }

  /** All that is kept, as CSV; times in seconds since 1970. */
  csv() {
    const names = [...this.series.keys()];
    const rows = [["time", ...names.map(csvField)].join(",")];
    for (let row = this.start; row < this.end; row++) {
      const values = names.map((name) => {
        const value = this.series.get(name)?.[row % MOST_SAMPLES] ?? NaN;
        return Number.isFinite(value) ? String(value) : "";
      });
      if (values.some((value) => value !== "")) rows.push([this.time(row).toFixed(6), ...values].join(","));
    }
    return rows.join("\r\n") + "\r\n";
  }
}

/**
 * A scale that takes in every value at once, and shrinks slowly, so that it does not tremble.
 * @param {{low: number, high: number} | undefined} before
 * @param {{low: number, high: number}} range
 */
export function scale(before, range) {
  const span = range.high - range.low || Math.abs(range.high) || 1;
  const wanted = { low: range.low - span * 0.06, high: range.high + span * 0.06 };
  // Not where that would take seconds, as after a single 1e9, or would never end, as after 1e308.
  if (!before || !(before.high - before.low < 100 * (wanted.high - wanted.low))) return wanted;
  const ease = (/** @type {number} */ from, /** @type {number} */ to) => from + (to - from) * 0.06;
  return {
    low: wanted.low < before.low ? Math.min(wanted.low, before.low) : ease(before.low, wanted.low),
    high: wanted.high > before.high ? Math.max(wanted.high, before.high) : ease(before.high, wanted.high),
  };
}
