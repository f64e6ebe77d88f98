// The data of the plotter: the newest samples of a few series, in bounded memory. Pure.

import { csvField } from "./format.js";

/** Samples to keep; the oldest are overwritten. A power of two. */
export const MAX_SAMPLES = 1 << 17;
/** Series to keep. Others are ignored, and up to `MAX_IGNORED` of them are counted. */
export const MAX_SERIES = 16, MAX_IGNORED = 100;
/** Rows that share a summary, so that looking at many rows costs little. */
export const BLOCK = 64;

/** Marks an interruption of a series. NaN marks a row without a value, as when labels alternate between lines. */
export const GAP = Infinity;

const MASK = MAX_SAMPLES - 1;
const BLOCKS = MAX_SAMPLES / BLOCK;

/** @typedef {{count: number, low: number, high: number, mean: number}} Summary */

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

/** The values of one series, with a summary of each block of rows. Row `n` is stored at `n & MASK`. */
export class Column {
  values = new Float64Array(MAX_SAMPLES).fill(NaN);
  low = new Float64Array(BLOCKS).fill(Infinity);
  high = new Float64Array(BLOCKS).fill(-Infinity);
  /** The mean of a block, since a sum may be too large for a number. */
  mean = new Float64Array(BLOCKS);
  count = new Uint8Array(BLOCKS);
  /** 1 if the block has an interruption. */
  hasGap = new Uint8Array(BLOCKS);

  /** @param {number} row @param {number} value */
  set(row, value) {
    const at = row & MASK;
    const block = at / BLOCK | 0;
    if (at % BLOCK === 0) {
      this.low[block] = Infinity;
      this.high[block] = -Infinity;
      this.mean[block] = this.count[block] = this.hasGap[block] = 0;
    }
    this.values[at] = value;
    if (Number.isNaN(value)) return;
    if (value === GAP) {
      this.hasGap[block] = 1;
      return;
    }
    if (value < this.low[block]) this.low[block] = value;
    if (value > this.high[block]) this.high[block] = value;
    const share = 1 / ++this.count[block];
    this.mean[block] += value * share - this.mean[block] * share;
  }

  /** Sums up the rows from `from` up to, but not including, `to`. @param {number} from @param {number} to @returns {Summary} */
  summary(from, to) {
    let [count, low, high, mean] = [0, Infinity, -Infinity, 0];
    for (let row = from; row < to;) {
      const at = row & MASK;
      const block = at / BLOCK | 0;
      const isWhole = at % BLOCK === 0 && row + BLOCK <= to;
      row += isWhole ? BLOCK : 1;
      const value = this.values[at];
      const more = isWhole ? this.count[block] : Number.isFinite(value) ? 1 : 0;
      if (more === 0) continue;
      count += more;
      low = Math.min(low, isWhole ? this.low[block] : value);
      high = Math.max(high, isWhole ? this.high[block] : value);
      const share = more / count;
      mean += (isWhole ? this.mean[block] : value) * share - mean * share;
    }
    return { count, low, high, mean };
  }

  copy() {
    return Object.assign(Object.create(Column.prototype), {
      values: this.values.slice(),
      low: this.low.slice(),
      high: this.high.slice(),
      mean: this.mean.slice(),
      count: this.count.slice(),
      hasGap: this.hasGap.slice(),
    });
  }
}

/** A ring buffer of rows of numbers, ordered by time. */
export class Table {
  /** The number of rows ever added. */
  end = 0;
  times = new Float64Array(MAX_SAMPLES);
  /** @type {Map<string, Column>} */
  series = new Map();
  /** Names of series that were ignored. @type {Set<string>} */
  ignored = new Set();

  /** The first row that is still kept. */
  get start() {
    return Math.max(0, this.end - MAX_SAMPLES);
  }

  /** @param {number} t in seconds @param {Map<string, number>} values */
  add(t, values) {
    const row = this.end;
    // Times must never go back, since at() is a binary search.
    this.times[row & MASK] = row > 0 ? Math.max(t, this.time(row - 1)) : t;
    for (const [name, column] of this.series) if (!values.has(name)) column.set(row, NaN);
    for (const [name, value] of values) {
      (this.series.get(name) ?? this.#column(name))?.set(row, Number.isFinite(value) ? value : GAP);
    }
    this.end++;
  }

  /** @param {string} name */
  #column(name) {
    if (this.series.size >= MAX_SERIES) {
      if (this.ignored.size < MAX_IGNORED) this.ignored.add(name);
      return undefined;
    }
    const column = new Column();
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
    for (const [name, column] of this.series) copy.series.set(name, column.copy());
    copy.ignored = new Set(this.ignored);
    return copy;
  }

  /** @param {number} row */
  time(row) {
    return this.times[row & MASK];
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
      const value = column.values[at & MASK];
      if (value === GAP) return NaN;
      if (!Number.isNaN(value)) return value;
    }
    return NaN;
  }

  /** Returns the value of a series in this very row, or NaN. @param {string} name @param {number} row */
  exactly(name, row) {
    const value = this.series.get(name)?.values[row & MASK] ?? NaN;
    return value === GAP ? NaN : value;
  }

  /** Sums up a series in a range of rows. @param {string} name @param {number} from @param {number} to */
  summary(name, from, to) {
    return this.series.get(name)?.summary(from, to) ?? { count: 0, low: Infinity, high: -Infinity, mean: 0 };
  }

  /**
   * Returns the lowest and highest value in a range of rows.
   * @param {Iterable<string>} names @param {number} from @param {number} to
   */
  range(names, from, to) {
    let [low, high] = [Infinity, -Infinity];
    for (const name of names) {
      const summary = this.summary(name, from, to);
      low = Math.min(low, summary.low);
      high = Math.max(high, summary.high);
    }
    return low <= high ? { low, high } : undefined;
  }

  /**
   * Returns samples as CSV, with times in seconds since 1970.
   * @param {[name: string, label: string][]} [columns] all of them by default
   * @param {number} [from] @param {number} [to] the row after the last one
   */
  csv(columns = Array.from(this.series.keys(), (name) => [name, name]), from = this.start, to = this.end) {
    const rows = [["time", ...columns.map(([, label]) => csvField(label))].join(",")];
    for (let row = from; row < to; row++) {
      const values = columns.map(([name]) => {
        const value = this.exactly(name, row);
        return Number.isNaN(value) ? "" : String(value);
      });
      if (values.some((value) => value !== "")) rows.push([this.time(row).toFixed(6), ...values].join(","));
    }
    return rows.join("\r\n") + "\r\n";
  }
}
