// Draws a plot on a canvas: axes, curves, the chosen sample, and the area that is being selected.

import { position, ticks, timeTicks } from "./axis.js";
import { clock } from "./format.js";
import { BLOCK, GAP, MAX_SAMPLES } from "./series.js";

/** Margins in pixels. The left one, for the numbers, grows with their width. */
const LEFT = 58, RIGHT = 10, TOP = 10, BOTTOM = 24;
/** The number of colours in the style sheet, --series-1 and so on. Series beyond it are dashed. */
export const COLOURS = 8;
const MASK = MAX_SAMPLES - 1;
const FONT = "12px system-ui, sans-serif";

/** @typedef {import("./axis.js").Range} Range */

/**
 * @typedef {object} Curve
 * @property {string} name
 * @property {number} colour counted from 0
 * @property {boolean} isDashed
 * @property {Range} scale
 */

/**
 * @typedef {object} Scene
 * @property {import("./series.js").Table} table
 * @property {number} start seconds since 1970
 * @property {number} end
 * @property {number} first the first row to draw
 * @property {number} last the row after the last one
 * @property {Curve[]} curves
 * @property {Range} scale that of the axis
 * @property {string} unit for the numbers of the axis
 * @property {number | undefined} row the chosen row
 * @property {{left: number, right: number, top?: number, bottom?: number} | undefined} selection in pixels
 */

export class Chart {
  /** The x coordinate where the plot begins, to the right of the widest axis number. */
  #left = LEFT;
  /** @type {Record<string, string>} */
  #colours = {};

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser cannot draw on a canvas");
    this.context = context;
    this.loadColours();
  }

  /** Takes the colours from the style sheet. */
  loadColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["panel", "ink", "quiet", "grid", "accent", ...Array.from({ length: COLOURS }, (_, index) => `series-${index + 1}`)];
    for (const name of names) this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
  }

  /** The area of the curves, in pixels. */
  get area() {
    const { clientWidth, clientHeight } = this.canvas;
    return { left: this.#left, top: TOP, width: clientWidth - this.#left - RIGHT, height: clientHeight - TOP - BOTTOM };
  }

  /** Makes the canvas empty, and as sharp as the screen. Returns false if nothing of it can be seen. */
  clear() {
    const { canvas, context } = this;
    const { width, height } = this.area;
    if (width <= 0 || height <= 0) return false;
    const ratio = devicePixelRatio || 1;
    const size = { width: Math.round(canvas.clientWidth * ratio), height: Math.round(canvas.clientHeight * ratio) };
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.#colours.panel;
    context.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    return true;
  }

  /** @param {Scene} scene */
  draw(scene) {
    const { context } = this;
    context.font = FONT;
    const numbers = ticks(scene.scale, this.area.height / 50).map(([value, text]) => ({ value, text: text + scene.unit }));
    this.#left = Math.max(LEFT, ...numbers.map(({ text }) => Math.ceil(context.measureText(text).width) + 12));
    this.#axes(scene, numbers);
    const { left, top, width, height } = this.area;
    context.save();
    context.beginPath();
    context.rect(left, 0, width, height + top);
    context.clip();
    for (const curve of scene.curves) this.#curve(scene, curve);
    context.restore();
    this.#cursor(scene);
    this.#selection(scene);
  }

  /** Returns the x coordinate of a time. @param {Scene} scene @param {number} t */
  #x({ start, end }, t) {
    const { left, width } = this.area;
    return left + (t - start) / (end - start) * width;
  }

  /** @param {Range} scale @param {number} value */
  #y(scale, value) {
    const { top, height } = this.area;
    return top + (1 - position(scale, value)) * height;
  }

  #axes(scene, numbers) {
    const { context } = this;
    const { left, top, width, height } = this.area;
    context.lineWidth = 1;
    context.strokeStyle = this.#colours.grid;
    context.fillStyle = this.#colours.quiet;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.beginPath();
    for (const { value, text } of numbers) {
      const y = Math.round(this.#y(scene.scale, value)) + 0.5;
      context.moveTo(left, y);
      context.lineTo(left + width, y);
      context.fillText(text, left - 8, y);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const [t, text] of timeTicks(scene, width / 95)) {
      const x = Math.round(this.#x(scene, t)) + 0.5;
      context.moveTo(x, top);
      context.lineTo(x, top + height);
      const half = context.measureText(text).width / 2;
      if (x - half > left - 40 && x + half < left + width + RIGHT) context.fillText(text, x, top + height + 7);
    }
    context.stroke();
  }

  /** Draws one series. @param {Scene} scene @param {Curve} curve */
  #curve(scene, { name, colour, isDashed, scale }) {
    const column = scene.table.series.get(name);
    if (!column) return;
    const { left, top, width, height } = this.area;
    const { start, end, first, last } = scene;
    // The same as #x and #y, in constants.
    const perSecond = width / (end - start);
    const halfLow = scale.low / 2, perHalf = height / (scale.high / 2 - scale.low / 2), foot = top + height;
    const x = (/** @type {number} */ t) => left + (t - start) * perSecond;
    const y = (/** @type {number} */ value) => foot - (value / 2 - halfLow) * perHalf;
    this.#pen(colour, isDashed);
    const perPixel = (last - first) / width;
    if (perPixel > 3) this.#columns(scene, column, isDashed, perPixel > BLOCK, x, y);
    else this.#line(scene, column, x, y);
  }

  /** Draws a line from sample to sample. */
  #line({ table: { times }, first, last }, { values }, x, y) {
    const { context } = this;
    context.lineJoin = "round";
    context.lineWidth = 1.8;
    context.beginPath();
    let isOpen = false;
    for (let row = first; row < last; row++) {
      const at = row & MASK;
      const value = values[at];
      if (Number.isNaN(value)) continue;
      if (value === GAP) {
        isOpen = false;
        continue;
      }
      const right = x(times[at]);
      if (!isOpen) context.moveTo(right, y(value));
      // A sample that stands alone is a dot.
      context.lineTo(isOpen ? right : right + 0.1, y(value));
      isOpen = true;
    }
    context.stroke();
    context.setLineDash([]);
  }

  /**
   * Draws the lowest to the highest value at each pixel, where it has many samples. A path of so many lines would take
   * several times as long to draw as bars.
   */
  #columns({ table: { times }, first, last }, column, isDashed, usesBlocks, x, y) {
    const { context } = this;
    context.lineWidth = 1.5;
    context.beginPath();
    let pixel = NaN, low = 0, high = 0, before = NaN, value = NaN;
    const flush = () => {
      if (Number.isNaN(pixel)) return;
      // Each bar reaches to the value before it.
      if (before < low) low = before;
      if (before > high) high = before;
      before = value;
      if (isDashed && pixel % 9 > 6) return;
      const above = y(high);
      context.fillRect(pixel, above - 0.75, 1, y(low) - above + 1.5);
    };
    for (let row = first; row < last;) {
      const at = row & MASK, block = at / BLOCK | 0;
      const isWhole = usesBlocks && at % BLOCK === 0 && row + BLOCK <= last && column.hasGap[block] === 0;
      row += isWhole ? BLOCK : 1;
      if (isWhole && column.count[block] === 0) continue;
      const next = isWhole ? column.mean[block] : column.values[at];
      if (Number.isNaN(next)) continue;
      if (next === GAP) {
        flush();
        pixel = before = NaN;
        continue;
      }
      const bottom = isWhole ? column.low[block] : next, peak = isWhole ? column.high[block] : next;
      const here = Math.round(x(times[at]));
      if (here !== pixel) {
        flush();
        // Samples that were read together have the same time, which leaves pixels without any.
        if (here > pixel + 1) {
          context.moveTo(pixel + 0.5, y(value));
          context.lineTo(here + 0.5, y(next));
          before = NaN;
        }
        pixel = here;
        low = bottom;
        high = peak;
      }
      if (bottom < low) low = bottom;
      if (peak > high) high = peak;
      value = next;
    }
    flush();
    context.stroke();
    context.setLineDash([]);
  }

  /** @param {number} colour @param {boolean} isDashed */
  #pen(colour, isDashed) {
    this.context.strokeStyle = this.context.fillStyle = this.#colours[`series-${colour + 1}`];
    this.context.setLineDash(isDashed ? [7, 2] : []);
  }

  /** Draws a vertical line at the chosen row, with its time. @param {Scene} scene */
  #cursor(scene) {
    const { context } = this;
    const { table, row } = scene;
    if (row === undefined) return;
    const { left, top, width, height } = this.area;
    const t = table.time(row);
    const x = this.#x(scene, t);
    if (x < left - 1 || x > left + width + 1) return;
    context.strokeStyle = this.#colours.quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    for (const { name, colour, scale } of scene.curves) {
      const value = table.value(name, row);
      const y = this.#y(scale, value);
      // With a fixed scale, it may be outside.
      if (!(y >= top - 4 && y <= top + height + 4)) continue;
      context.fillStyle = this.#colours[`series-${colour + 1}`];
      context.beginPath();
      context.arc(x, y, 4, 0, 7);
      context.fill();
    }
    const text = clock(t);
    const wide = context.measureText(text).width + 12;
    const from = Math.min(Math.max(x - wide / 2, left), left + width + RIGHT - wide);
    context.fillStyle = this.#colours.ink;
    context.fillRect(from, top + height + 2, wide, 20);
    context.fillStyle = this.#colours.panel;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(text, from + 6, top + height + 7);
  }

  /** Draws the area that is being selected, which is the whole height if no value is. @param {Scene} scene */
  #selection({ selection }) {
    if (!selection) return;
    const { context } = this;
    const { top, height } = this.area;
    const { left, right, top: from = top, bottom: to = top + height } = selection;
    context.fillStyle = context.strokeStyle = this.#colours.accent;
    context.lineWidth = 1;
    context.globalAlpha = 0.15;
    context.fillRect(left, from, right - left, to - from);
    context.globalAlpha = 1;
    context.strokeRect(left + 0.5, from + 0.5, right - left, to - from);
  }

  /**
   * Returns what the canvas shows, with the names of the curves below it, as a PNG.
   * @param {{label: string, colour: number, isDashed: boolean}[]} curves
   * @returns {Promise<Blob | null>}
   */
  async png(curves) {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const copy = document.createElement("canvas");
    const context = copy.getContext("2d");
    if (!context) return null;
    const font = "13px system-ui, sans-serif";
    context.font = font;
    // As many rows of names as they need.
    let [x, y] = [LEFT, 0];
    const places = curves.map((curve) => {
      const wide = 40 + context.measureText(curve.label).width;
      if (x + wide > canvas.clientWidth && x > LEFT) [x, y] = [LEFT, y + 22];
      x += wide;
      return { ...curve, x: x - wide, y };
    });
    copy.width = canvas.width;
    copy.height = canvas.height + (28 + y) * ratio;
    context.fillStyle = this.#colours.panel;
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(canvas, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, canvas.height);
    context.font = font;
    context.lineWidth = 5;
    for (const { label, colour, isDashed, x, y } of places) {
      context.strokeStyle = this.#colours[`series-${colour + 1}`];
      context.setLineDash(isDashed ? [7, 2] : []);
      context.beginPath();
      context.moveTo(x, y + 10.5);
      context.lineTo(x + 16, y + 10.5);
      context.stroke();
      context.fillStyle = this.#colours.ink;
      context.fillText(label, x + 22, y + 15);
    }
    return new Promise((resolve) => copy.toBlob(resolve));
  }
}
