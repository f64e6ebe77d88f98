// The plot: the newest samples, or a span of time that people hold, zoom and pan.

import { COLOURS, Chart } from "./chart.js";
import { short } from "./format.js";
import { onFrame } from "./frame.js";
import { Gestures } from "./gestures.js";
import { Legend } from "./legend.js";
import { setPressed } from "./pressed.js";
import { showSamples } from "./samples.js";
import { Scales } from "./scales.js";
import { limit, pan, spanText, zoom } from "./window.js";

/** Milliseconds between updates of the statistics, of the table, and of the label for screen readers. */
const STATISTICS_INTERVAL = 250, TABLE_INTERVAL = 500, ANNOUNCE_INTERVAL = 2000;
/** How far one press of a key or button zooms, and pans as a share of the span. */
const ZOOM_STEP = 1.5, PAN_STEP = 0.25;

/** @typedef {import("./window.js").Window} Window */

export class Plotter {
  /** True while new samples can arrive. */
  live = false;
  /** Draws in the next frame. */
  requestFrame = onFrame(() => this.#draw());
  /** Seconds shown while following. Infinity is all that is kept. */
  #span = 10;
  /** The span of time that is held, or undefined while following. @type {Window | undefined} */
  #held;
  /** The x coordinate of the pointer, or undefined. @type {number | undefined} */
  #pointer;
  /** The row whose values are shown, if it is not the newest one. @type {number | undefined} */
  #row;
  /** @type {{left: number, right: number, top?: number, bottom?: number} | undefined} */
  #selection;
  /** True if a held plot needs redrawing. */
  #stale = true;
  /** The times of the last updates, in milliseconds. */
  #updated = { statistics: 0, table: 0, label: 0 };

  /**
   * @param {import("./series.js").Table} table
   * @param {typeof import("./elements.js").plot} elements
   * @param {{now: () => number}} clock that of serial-ws
   * @param {import("./appearance.js").Appearance} appearance
   * @param {(series: string) => void} edit asks for the name and colour of a series
   */
  constructor(table, elements, clock, appearance, edit) {
    /** The table that samples are added to, and the one that is shown: a copy while held. */
    this.liveTable = this.table = table;
    this.elements = elements;
    this.clock = clock;
    this.appearance = appearance;
    this.chart = new Chart(elements.canvas);
    this.scales = new Scales(elements, () => this.redraw());
    this.legend = new Legend(elements, { toggle: (name) => this.#toggle(name), edit });
    this.gestures = new Gestures(elements.canvas, {
      point: (x) => this.#point(x),
      zoomAt: (factor, x) => this.#zoom(factor, this.#timeAt(x)),
      drag: (pixels) => this.#pan(-pixels / this.chart.area.width),
      select: (area) => this.#select(area),
      zoomToSelection: () => this.#zoomToSelection(),
      reset: () => this.follow(),
    });
    new ResizeObserver(() => this.redraw()).observe(elements.canvas);
    this.#listen();
  }

  #listen() {
    const { canvas, pause, clear, span, table, zoomIn, zoomOut, older, newer, live } = this.elements;
    const on = (element, event, act) => element.addEventListener(event, act);
    on(canvas, "blur", () => this.#point());
    on(canvas, "keydown", (event) => this.#onKey(event));
    on(pause, "click", () => this.pause(!this.#held));
    on(clear, "click", () => this.clear());
    on(span, "change", () => { this.span = Number(span.value); });
    on(table, "click", () => this.#showTable(table.getAttribute("aria-pressed") !== "true"));
    on(zoomIn, "click", () => this.#zoom(1 / ZOOM_STEP));
    on(zoomOut, "click", () => this.#zoom(ZOOM_STEP));
    on(older, "click", () => this.#pan(-PAN_STEP));
    on(newer, "click", () => this.#pan(PAN_STEP));
    on(live, "click", () => this.follow());
  }

  get span() {
    return this.#span;
  }

  /** Shows so many seconds. A held plot keeps its right edge. */
  set span(seconds) {
    this.#span = seconds;
    if (this.#held) this.#held = { start: this.#startOf(this.#held.end), end: this.#held.end };
    this.#showSpan();
    this.redraw();
  }

  /** Holds the plot as it is, or follows the newest samples. @param {boolean} isHeld */
  pause(isHeld) {
    this.#held = isHeld ? this.#window() : undefined;
    this.table = isHeld ? this.liveTable.copy() : this.liveTable;
    setPressed(this.elements.pause, isHeld);
    this.elements.live.hidden = !isHeld;
    if (!isHeld) this.scales.endSelection();
    this.#showSpan();
    this.redraw();
  }

  /** Ends zooming, panning and pausing. */
  follow() {
    this.gestures.cancel();
    this.pause(false);
  }

  /** Removes all samples and follows. */
  clear() {
    this.liveTable.clear();
    this.pause(false);
    this.#row = undefined;
    this.scales.restart();
    this.legend.clear();
  }

  /** Draws the plot again, since something else than its samples has changed. */
  redraw() {
    this.#stale = true;
    this.#updated.statistics = this.#updated.table = 0;
    this.requestFrame();
  }

  /** Draws the plot again in the colours of the style sheet. */
  recolour() {
    this.chart.loadColours();
    this.redraw();
  }

  /** Returns samples as CSV. @param {boolean} isAll or those that the plot shows */
  csv(isAll) {
    const { table } = this;
    const names = isAll ? [...table.series.keys()] : this.#shown();
    const columns = names.map((name) => /** @type {[string, string]} */ ([name, this.appearance.label(name)]));
    const { first, last } = this.#rows(this.#window());
    return isAll ? table.csv(columns) : table.csv(columns, first, last);
  }

  /** Returns a picture. @param {boolean} isAll of all samples, or of those that the plot shows */
  async png(isAll) {
    const names = this.#shown();
    this.#drawScene(isAll ? this.#everything() : this.#window());
    const picture = this.chart.png(this.#looks(names).map((look) => ({ ...look, label: this.appearance.label(look.name) })));
    this.redraw();
    return picture;
  }

  /** Draws the plot and what is beside it, and again in the next frame while the plot scrolls. */
  #draw() {
    const { table, elements } = this;
    const isEmpty = table.end === 0;
    if (this.live && !this.#held && !isEmpty) this.requestFrame();
    elements.empty.hidden = !isEmpty;
    elements.zoom.hidden = isEmpty;
    if (this.#held && !this.#stale) return;
    this.#stale = false;
    const window = this.#window();
    const { first, last } = isEmpty ? { first: 0, last: 0 } : this.#drawScene(window);
    if (isEmpty) this.chart.clear();
    else this.#describe(first, last);
  }

  /** Draws a span of time. Returns its rows. @param {Window} window */
  #drawScene(window) {
    const { table, chart } = this;
    const rows = this.#rows(window);
    if (!chart.clear()) return rows;
    const names = this.#shown();
    const { scales } = this;
    scales.update(table, names, rows, !this.#held);
    this.#row = this.#chosen(window, rows);
    chart.draw({
      ...window,
      // One more row on the left, so that curves enter from outside.
      first: Math.max(table.start, rows.first - 1),
      last: Math.min(table.end, rows.last + 1),
      table,
      curves: this.#looks(names).map((look) => ({ ...look, scale: scales.of(look.name) })),
      ...scales.axis,
      row: this.#row,
      selection: this.#selection,
    });
    return rows;
  }

  /** Returns the colours of series. @param {string[]} names */
  #looks(names) {
    const all = [...this.table.series.keys()];
    return names.map((name) => {
      const index = all.indexOf(name);
      return { name, colour: this.appearance.colour(name, index), isDashed: index >= COLOURS };
    });
  }

  /** Returns the names of the series that are not hidden. */
  #shown() {
    return [...this.table.series.keys()].filter((name) => !this.appearance.isHidden(name));
  }

  /** Returns the time at the right edge while following, on the clock of serial-ws. */
  #now() {
    const { table } = this;
    const newest = table.end > 0 ? table.time(table.end - 1) : 0;
    return this.live ? Math.max(this.clock.now(), newest) : newest;
  }

  /** @param {number} end */
  #startOf(end) {
    if (Number.isFinite(this.#span)) return end - this.#span;
    return Math.min(this.table.time(this.table.start), end - 1);
  }

  /** Returns the span of time to show. @returns {Window} */
  #window() {
    if (this.#held) return this.#held;
    const end = this.#now();
    return { start: this.#startOf(end), end };
  }

  /** Returns the span of time of all samples. @returns {Window} */
  #everything() {
    const { table } = this;
    const end = table.end > 0 ? table.time(table.end - 1) : 0;
    return { start: Math.min(table.time(table.start), end - 0.1), end };
  }

  /** Returns the rows within a span of time. @param {Window} window */
  #rows({ start, end }) {
    return { first: this.table.at(start), last: this.table.at(end + 1e-6) };
  }

  /** @param {number} x */
  #timeAt(x) {
    const { left, width } = this.chart.area;
    const { start, end } = this.#window();
    return start + (x - left) / width * (end - start);
  }

  /** Zooms about a time: the chosen row, or the middle. @param {number} factor @param {number} [at] */
  #zoom(factor, at) {
    const { start, end } = this.#window();
    const chosen = this.#row === undefined ? (start + end) / 2 : this.table.time(this.#row);
    this.#hold(zoom({ start, end }, factor, at ?? chosen));
  }

  /** @param {number} share of the span */
  #pan(share) {
    const window = this.#window();
    this.#hold(pan(window, share * (window.end - window.start)));
  }

  /** Holds another span of time. @param {Window} window */
  #hold(window) {
    if (this.table.end === 0) return;
    const [shown, all] = [this.#window(), this.#everything()];
    if (!this.#held) this.pause(true);
    this.#held = limit(window, { start: Math.min(all.start, shown.start), end: Math.max(all.end, shown.end) });
    this.#showSpan();
    this.redraw();
  }

  #select(area) {
    this.#selection = area;
    this.redraw();
  }

  #zoomToSelection() {
    const area = this.#selection;
    this.#select(undefined);
    if (!area) return;
    const { top: above, height } = this.chart.area;
    const { left, right, top, bottom } = area;
    const window = { start: this.#timeAt(left), end: this.#timeAt(right) };
    if (top !== undefined && bottom !== undefined) {
      this.scales.select(1 - (bottom - above) / height, 1 - (top - above) / height);
    }
    this.#hold(zoom(window, 1, window.start));
  }

  /** Shows the span in the menu, also one that is not in it. */
  #showSpan() {
    const { span, spanOther } = this.elements;
    const { start, end } = this.#held ?? { start: 0, end: this.#span };
    const seconds = end - start;
    const listed = [...span.options].find((option) => option !== spanOther && Math.abs(Number(option.value) - seconds) < 1e-6);
    const isAll = !Number.isFinite(this.#span) && !this.#held;
    spanOther.hidden = Boolean(listed) || isAll;
    if (!spanOther.hidden) {
      spanOther.textContent = spanText(seconds);
      spanOther.value = String(seconds);
    }
    span.value = listed ? listed.value : isAll ? "Infinity" : spanOther.value;
  }

  /** Returns the row under the pointer, or the one chosen by keys while it is in view. */
  #chosen(window, { first, last }) {
    const { table } = this;
    if (this.#pointer === undefined) return (this.#row ?? -1) >= first && (this.#row ?? 0) < last ? this.#row : undefined;
    if (last <= first) return undefined;
    const t = this.#timeAt(this.#pointer);
    const row = table.at(t);
    // Choose the nearer of the two rows beside the pointer.
    const before = row > first && t - table.time(row - 1) < table.time(row) - t;
    return Math.max(first, Math.min(before ? row - 1 : row, last - 1));
  }

  /** Updates the legend, the table and the label for screen readers. */
  #describe(first, last) {
    const { table, appearance, elements } = this;
    const row = this.#row ?? last - 1;
    const isDue = (what, interval) => Date.now() - this.#updated[what] >= interval && (this.#updated[what] = Date.now());
    const withSummary = isDue("statistics", STATISTICS_INTERVAL);
    const names = [...table.series.keys()];
    this.legend.show(this.#looks(names).map((look) => ({
      ...look,
      label: appearance.label(look.name),
      isHidden: appearance.isHidden(look.name),
      value: table.value(look.name, row),
      summary: withSummary ? table.summary(look.name, first, last) : undefined,
    })), table.ignored.size);
    if (!elements.samples.hidden && isDue("table", TABLE_INTERVAL)) this.#fillTable(first, last);
    // Announce at once only for the keys: under a pointer the values change with each frame.
    const byKeys = this.#row !== undefined && this.#pointer === undefined;
    if (byKeys || isDue("label", ANNOUNCE_INTERVAL)) {
      const values = names.map((name) => `${appearance.label(name)} ${short(table.value(name, row))}`);
      elements.canvas.setAttribute("aria-label", `Plot of ${values.join(", ")}`);
    }
  }

  #fillTable(first, last) {
    const columns = this.#shown().map((name) => /** @type {[string, string]} */ ([name, this.appearance.label(name)]));
    showSamples(this.elements.sampleTable, this.table, columns, first, last);
  }

  /** Shows a table in place of the curves. @param {boolean} isShown */
  #showTable(isShown) {
    const { table, samples, stage } = this.elements;
    table.setAttribute("aria-pressed", String(isShown));
    samples.hidden = !isShown;
    stage.classList.toggle("as-table", isShown);
    this.redraw();
  }

  /** @param {string} name */
  #toggle(name) {
    this.appearance.toggle(name);
    this.scales.restart();
    this.redraw();
  }

  /** @param {number} [x] undefined if the pointer has left */
  #point(x) {
    this.#pointer = x;
    this.#row = undefined;
    this.#stale = true;
    this.requestFrame();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowLeft: () => this.#step(event.shiftKey ? -10 : -1),
      ArrowRight: () => this.#step(event.shiftKey ? 10 : 1),
      "+": () => this.#zoom(1 / ZOOM_STEP),
      "=": () => this.#zoom(1 / ZOOM_STEP),
      "-": () => this.#zoom(ZOOM_STEP),
      PageUp: () => this.#pan(-PAN_STEP * 2),
      PageDown: () => this.#pan(PAN_STEP * 2),
      Home: () => this.#hold(pan(this.#window(), this.#everything().start - this.#window().start)),
      End: () => this.follow(),
      Escape: () => (this.#row !== undefined && this.#pointer === undefined ? this.#point() : this.follow()),
      " ": () => this.pause(!this.#held),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Chooses a row beside the chosen one. @param {number} rows */
  #step(rows) {
    const { first, last } = this.#rows(this.#window());
    const row = (this.#row ?? last - 1) + rows;
    this.#pointer = undefined;
    this.#row = Math.min(Math.max(row, first), last - 1);
    this.#stale = true;
    this.requestFrame();
  }
}
