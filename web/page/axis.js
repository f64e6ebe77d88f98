// Scales and axes: where values and times are on the plot, and what is written beside them. Pure.
// A range may be too wide for a number, as from -1e308 to 1e308, so that half of it is used.

import { clock } from "./format.js";

/** @typedef {{low: number, high: number}} Range */

/** From here on not every digit is exact, so fewer are shown. */
const EXPONENTIAL_ABOVE = 1e15;
const { MAX_VALUE } = Number;
/** Possible steps between times, in seconds. */
const TIME_STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400,
];

/** Returns where a value is between the bounds: 0 at the lower one, 1 at the upper one. @param {Range} range @param {number} value */
export function position({ low, high }, value) {
  return (value / 2 - low / 2) / (high / 2 - low / 2);
}

/** Returns the value at a position between the bounds. @param {Range} range @param {number} at */
export function valueAt({ low, high }, at) {
  return low * (1 - at) + high * at;
}

/**
 * Returns a scale that includes every value. It grows at once but shrinks slowly, to avoid jitter.
 * @param {Range | undefined} before @param {Range} range @returns {Range}
 */
export function scale(before, range) {
  const half = range.high / 2 - range.low / 2 || Math.abs(range.high) / 2 || 0.5;
  const wanted = { low: Math.max(range.low - half * 0.12, -MAX_VALUE), high: Math.min(range.high + half * 0.12, MAX_VALUE) };
  // Jump where easing would take seconds, as after a single 1e9, or never end, as after 1e308.
  if (!before || !(before.high / 2 - before.low / 2 < 100 * (wanted.high / 2 - wanted.low / 2))) return wanted;
  const ease = (/** @type {number} */ from, /** @type {number} */ to) => from * 0.94 + to * 0.06;
  return {
    low: wanted.low < before.low ? Math.min(wanted.low, before.low) : ease(before.low, wanted.low),
    high: wanted.high > before.high ? Math.max(wanted.high, before.high) : ease(before.high, wanted.high),
  };
}

/**
 * Returns the ticks for a scale, each with its label. They are 1, 2 or 5 times a power of ten apart.
 * @param {Range} range @param {number} about the approximate number of ticks
 * @returns {[number, string][]}
 */
export function ticks({ low, high }, about) {
  const count = Math.max(about, 2);
  const rough = high / count - low / count;
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power * 10;
  /** @type {[number, string][]} */
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 100; index++) {
    found.push([index * step, label(index * step, step)]);
  }
  return found;
}

/** Formats a number with enough digits to tell it from one that is `step` away. @param {number} value @param {number} step */
function label(value, step) {
  // The logarithm of a step such as 0.1 may fall just below the whole number.
  const power = Math.floor(Math.log10(step) + 1e-9);
  if (value === 0 && power < -6) return "0";
  if (Math.abs(value) < EXPONENTIAL_ABOVE && power >= -6) return value === 0 ? (0).toFixed(Math.max(-power, 0)) : value.toFixed(Math.max(-power, 0));
  const digits = Math.floor(Math.log10(Math.abs(value) || step)) - power;
  return value.toExponential(Math.max(0, Math.min(digits, 15))).replace("e+", "e");
}

/**
 * Returns the ticks of a time axis, each with its label.
 * @param {{start: number, end: number}} window @param {number} about the greatest number of ticks
 * @returns {[number, string][]}
 */
export function timeTicks({ start, end }, about) {
  const least = (end - start) / Math.max(about, 1);
  const step = TIME_STEPS.find((step) => step >= least) ?? Math.ceil(least / 86400) * 86400;
  /** @type {[number, string][]} */
  const found = [];
  // Hours and days begin when they do here.
  const zone = step > 1800 ? new Date(start * 1000).getTimezoneOffset() * 60 : 0;
  for (let index = Math.ceil((start - zone) / step); index * step + zone <= end && found.length < 100; index++) {
    const t = index * step + zone;
    found.push([t, timeLabel(t, step)]);
  }
  return found;
}

/** @param {number} t @param {number} step */
function timeLabel(t, step) {
  if (step >= 86400) return new Date(t * 1000).toLocaleDateString("en-CA");
  // Half a millisecond more, since a tick may fall just before its time.
  return clock(t + 0.0005).slice(0, step >= 60 ? 5 : step >= 1 ? 8 : step >= 0.1 ? 10 : 12);
}
