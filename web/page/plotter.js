// Draws the newest samples on a canvas. The values in the legend follow the pointer.

import { clock, short, ticks, visible } from "./format.js";
import { onFrame } from "./frame.js";
import { setPressed } from "./pressed.js";
import { GAP, MAX_IGNORED, MAX_SAMPLES, scale } from "./series.js";

/** Margins in pixels. The left one, for the numbers, grows with their width. */
const LEFT = 58, RIGHT = 10, TOP = 10, BOTTOM = 24;
/** The number of colours in the style sheet, --series-1 and so on. Series beyond it are dashed. */
const COLOURS = 8;
/** Possible steps between times on the axis, in seconds. */
const TIME_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];

export class Plotter {
  /** True while new samples can arrive. */
  live = false;
  /** Seconds shown. */
  #span = 10;
  /** The time at the right edge while paused, or undefined. @type {number | undefined} */
  #pausedAt;
  /** The x coordinate of the pointer, or undefined. @type {number | undefined} */
  #pointer;
  /** The row whose values are shown, if it is not the newest one. @type {number | undefined} */
  #row;
  /** Names of hidden series. @type {Set<string>} */
  #hidden = new Set();
  /** @type {{low: number, high: number} | undefined} */
  #scale;
  /** @type {Map<string, {item: HTMLElement, value: HTMLElement}>} */
  #legend = new Map();
  /** @type {Record<string, string>} */
  #colours = {};
  /** The x coordinate where the plot begins, to the right of the widest axis number. */
  #left = LEFT;
  /** @type {[number, string][]} */
  #ticks = [];
  /** True if a paused plot needs redrawing. */
  #stale = true;
  /** The time of the last announcement to screen readers, in milliseconds. */
  #announcedAt = 0;

  /** Draws in the next frame. */
  requestFrame = onFrame(() => this.#draw());

  /**
   * @param {import("./series.js").Table} table
   * @param {typeof import("./elements.js").plot} elements
   * @param {{now: () => number}} clock that of serial-ws
   */
  constructor(table, elements, clock) {
    /** The table that samples are added to, and the one that is shown: a copy while paused. */
    this.liveTable = this.table = table;
    this.elements = elements;
    this.clock = clock;
    const { canvas, pause, clear, span } = elements;
    pause.addEventListener("click", () => this.pause(!this.paused));
    clear.addEventListener("click", () => this.clear());
    span.addEventListener("change", () => { this.span = Number(span.value); });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#reloadColours());
    this.#reloadColours();
    new ResizeObserver(() => this.#redraw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#point());
    canvas.addEventListener("blur", () => this.#point());
    canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get paused() {
    return this.#pausedAt !== undefined;
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#pausedAt = paused ? this.#now() : undefined;
    this.table = paused ? this.liveTable.copy() : this.liveTable;
    setPressed(this.elements.pause, paused);
    this.#redraw();
  }

  get span() {
    return this.#span;
  }

  set span(seconds) {
    this.#span = seconds;
    this.#redraw();
  }

  /** Removes all samples and resumes. */
  clear() {
    this.liveTable.clear();
    this.pause(false);
    this.#scale = this.#row = undefined;
    this.#legend.clear();
    this.#hidden.clear();
    this.elements.legend.replaceChildren(this.elements.more);
    this.elements.more.hidden = true;
  }

  /** Draws the plot and the legend, and again in the next frame while the plot scrolls. */
  #draw() {
    const { table, elements } = this;
    if (this.live && !this.paused && table.end > 0) this.requestFrame();
    elements.empty.hidden = table.end > 0;
    if (this.paused && !this.#stale) return;
    this.#stale = false;
    let view = this.#view();
    const context = elements.canvas.getContext("2d");
    if (!context || view.width <= 0 || view.height <= 0) return;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(view.full * ratio), Math.round(view.tall * ratio)];
    if (elements.canvas.width !== width || elements.canvas.height !== height) {
      Object.assign(elements.canvas, { width, height });
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.#colours.panel;
    context.fillRect(0, 0, view.full, view.tall);
    if (table.end === 0) return;

    const names = [...table.series.keys()].filter((name) => !this.#hidden.has(name));
    const range = table.range(names, view.first, view.last);
    if (range) this.#scale = scale(this.paused ? undefined : this.#scale, range);
    this.#measure(context, view);
    view = this.#view();
    this.#axes(context, view);
    context.save();
    context.beginPath();
    context.rect(this.#left, 0, view.width, view.tall - BOTTOM);
    context.clip();
    [...table.series.keys()].forEach((name, index) => {
      if (!this.#hidden.has(name)) this.#curve(context, view, name, index);
    });
    context.restore();
    this.#row = this.#chosen(view);
    this.#cursor(context, view);
    this.#showValues(this.#row ?? view.last - 1);
  }

  /** Returns the plot with a legend below it, as a PNG. @returns {Promise<Blob | null>} */
  async png() {
    this.#redraw();
    this.#draw();
    const { canvas } = this.elements;
    const ratio = devicePixelRatio || 1;
    const copy = document.createElement("canvas");
    copy.width = canvas.width;
    copy.height = canvas.height + 28 * ratio;
    const context = copy.getContext("2d");
    if (!context) return null;
    context.fillStyle = this.#colours.panel;
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(canvas, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, canvas.height);
    context.font = "13px system-ui, sans-serif";
    let x = LEFT;
    [...this.table.series.keys()].forEach((name, index) => {
      if (this.#hidden.has(name)) return;
      this.#pen(context, index);
      context.lineWidth = 5;
      context.beginPath();
      context.moveTo(x, 10.5);
      context.lineTo(x + 16, 10.5);
      context.stroke();
      context.fillStyle = this.#colours.ink;
      context.fillText(name, x + 22, 15);
      x += 40 + context.measureText(name).width;
    });
    return new Promise((resolve) => copy.toBlob(resolve));
  }

  /** Returns the time at the right edge, on the clock of serial-ws. */
  #now() {
    const newest = this.table.end > 0 ? this.table.time(this.table.end - 1) : 0;
    return this.live ? Math.max(this.clock.now(), newest) : newest;
  }

  #view() {
    const { clientWidth: full, clientHeight: tall } = this.elements.canvas;
    const end = this.#pausedAt ?? this.#now();
    const start = end - this.span;
    // Includes one more row on the left, so that curves enter from outside the plot.
    const first = Math.max(this.table.start, this.table.at(start) - 1);
    const last = this.table.at(end + 1e-6);
    return { full, tall, width: full - this.#left - RIGHT, height: tall - TOP - BOTTOM, start, end, first, last };
  }

  /** @param {ReturnType<Plotter["_view"]>} view @param {number} t */
  #x(view, t) {
    return this.#left + (t - view.start) / this.span * view.width;
  }

  #y(view, value) {
    const { low, high } = this.#scale ?? { low: 0, high: 1 };
    return TOP + (high - value) / (high - low) * view.height;
  }

  #measure(context, view) {
    const { low, high } = this.#scale ?? { low: 0, high: 1 };
    context.font = "12px system-ui, sans-serif";
    this.#ticks = ticks(low, high, view.height / 50);
    const widths = this.#ticks.map(([, text]) => context.measureText(text).width);
    this.#left = Math.max(LEFT, ...widths.map((width) => Math.ceil(width) + 12));
  }

  #axes(context, view) {
    context.lineWidth = 1;
    context.strokeStyle = this.#colours.grid;
    context.fillStyle = this.#colours.quiet;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.beginPath();
    for (const [value, text] of this.#ticks) {
      const y = Math.round(this.#y(view, value)) + 0.5;
      context.moveTo(this.#left, y);
      context.lineTo(this.#left + view.width, y);
      context.fillText(text, this.#left - 8, y);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const least = this.span / Math.max(view.width / 95, 1);
    const step = TIME_STEPS.find((step) => step >= least) ?? 600;
    for (let t = Math.ceil(view.start / step) * step; t <= view.end; t += step) {
      const x = Math.round(this.#x(view, t)) + 0.5;
      context.moveTo(x, TOP);
      context.lineTo(x, TOP + view.height);
      const half = 28;
      if (x > this.#left + half / 2 && x < view.full - half) context.fillText(clock(t).slice(0, step < 1 ? 10 : 8), x, view.tall - BOTTOM + 7);
    }
    context.stroke();
  }

  /** Sets the colour and dashes of the series with this index. */
  #pen(context, index) {
    context.strokeStyle = this.#colours[`series-${index % COLOURS + 1}`];
    context.setLineDash(index < COLOURS ? [] : [7, 2]);
  }

  /** Draws one series. Where a pixel covers many samples, it draws their lowest and highest. */
  #curve(context, view, name, index) {
    const column = this.table.series.get(name);
    if (!column) return;
    this.#pen(context, index);
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    context.beginPath();
    const dense = view.last - view.first > view.width * 3;
    let open = false, pixel = NaN, low = 0, high = 0, value = 0;
    const flush = () => {
      if (Number.isNaN(pixel)) return;
      if (low !== high) {
        context.lineTo(pixel, this.#y(view, low));
        context.lineTo(pixel, this.#y(view, high));
      }
      context.lineTo(pixel, this.#y(view, value));
    };
    for (let row = view.first; row < view.last; row++) {
      const at = row % MAX_SAMPLES;
      const next = column[at];
      if (Number.isNaN(next)) continue;
      if (next === GAP) {
        flush();
        pixel = NaN;
        open = false;
        continue;
      }
      const x = this.#x(view, this.table.times[at]);
      if (!open) {
        context.moveTo(x, this.#y(view, next));
        open = true;
      }
      if (!dense) {
        context.lineTo(x, this.#y(view, next));
        continue;
      }
      if (Math.round(x) !== pixel) {
        flush();
        [pixel, low, high] = [Math.round(x), next, next];
      }
      low = Math.min(low, next);
      high = Math.max(high, next);
      value = next;
    }
    if (dense) flush();
    context.stroke();
  }

  /** Returns the row under the pointer, or the one chosen by keys while it is in view. */
  #chosen(view) {
    if (this.#pointer === undefined) return (this.#row ?? -1) >= this.table.at(view.start) ? this.#row : undefined;
    const t = view.start + (this.#pointer - this.#left) / view.width * this.span;
    const row = this.table.at(t);
    // Choose the nearer of the two rows beside the pointer.
    const before = row > view.first && t - this.table.time(row - 1) < this.table.time(row) - t;
    return Math.min(before ? row - 1 : row, view.last - 1);
  }

  /** Draws a vertical line at the chosen row, with its time. */
  #cursor(context, view) {
    const row = this.#row;
    if (row === undefined) return;
    const t = this.table.time(row);
    const x = this.#x(view, t);
    if (x < this.#left) return;
    context.strokeStyle = this.#colours.quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, TOP);
    context.lineTo(x, TOP + view.height);
    context.stroke();
    [...this.table.series.keys()].forEach((name, index) => {
      const value = this.table.value(name, row);
      if (this.#hidden.has(name) || Number.isNaN(value)) return;
      context.fillStyle = this.#colours[`series-${index % COLOURS + 1}`];
      context.beginPath();
      context.arc(x, this.#y(view, value), 4, 0, 7);
      context.fill();
    });
    const text = clock(t);
    const wide = context.measureText(text).width + 12;
    const left = Math.min(Math.max(x - wide / 2, this.#left), view.full - wide);
    context.fillStyle = this.#colours.ink;
    context.fillRect(left, view.tall - BOTTOM + 2, wide, 20);
    context.fillStyle = this.#colours.panel;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(text, left + 6, view.tall - BOTTOM + 7);
  }

  /** Updates the values in the legend, the number of ignored series, and the label for screen readers. */
  #showValues(row) {
    [...this.table.series.keys()].forEach((name, index) => {
      const { value } = this.#legend.get(name) ?? this.#item(name, index);
      setText(value, short(this.table.value(name, row)));
    });
    const { size } = this.table.ignored;
    this.elements.more.hidden = size === 0;
    setText(this.elements.more, `and ${size}${size < MAX_IGNORED ? "" : "+"} more`);
    // Announce at once only for the keys: under a pointer the values change with each frame.
    const byKeys = this.#row !== undefined && this.#pointer === undefined;
    if (Date.now() - this.#announcedAt < 2000 && !byKeys) return;
    this.#announcedAt = Date.now();
    const values = [...this.table.series.keys()].map((name) => `${visible(name)} ${short(this.table.value(name, row))}`);
    this.elements.canvas.setAttribute("aria-label", `Plot of ${values.join(", ")}`);
  }

  #item(name, index) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Show or hide this series";
    button.setAttribute("aria-pressed", "true");
    const part = (kind, text) => {
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = text;
      return span;
    };
    const value = part("value", "");
    button.append(part(`swatch s${index % COLOURS + 1}${index < COLOURS ? "" : " dashed"}`, ""), part("name", visible(name)), value);
    button.addEventListener("click", () => {
      const wasHidden = this.#hidden.has(name);
      if (wasHidden) this.#hidden.delete(name);
      else this.#hidden.add(name);
      button.setAttribute("aria-pressed", String(wasHidden));
      this.#scale = undefined;
      this.#redraw();
    });
    item.append(button);
    this.elements.more.before(item);
    const parts = { item, value };
    this.#legend.set(name, parts);
    return parts;
  }

  /** @param {number} [x] undefined if the pointer has left */
  #point(x) {
    this.#pointer = x;
    this.#row = undefined;
    this.#redraw();
  }

  #onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      const view = this.#view();
      const row = (this.#row ?? view.last - 1) + step * (event.shiftKey ? 10 : 1);
      this.#pointer = undefined;
      this.#row = Math.min(Math.max(row, this.table.at(view.start)), view.last - 1);
    } else if (event.key === "Escape") {
      this.#point();
    } else if (event.key === " ") {
      this.pause(!this.paused);
    } else {
      return;
    }
    event.preventDefault();
    this.#redraw();
  }

  #reloadColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["panel", "ink", "quiet", "grid", ...Array.from({ length: COLOURS }, (_, index) => `series-${index + 1}`)];
    for (const name of names) this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.#redraw();
  }

  #redraw() {
    this.#stale = true;
    this.requestFrame();
  }
}

/** Sets the text only if it differs, to avoid needless layout. @param {HTMLElement} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
