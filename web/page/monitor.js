// Shows the log: the newest rows while following, and the kept rows while paused.

import { Filter } from "./filter.js";
import { onFrame } from "./frame.js";
import { setPressed } from "./pressed.js";
import { rowElement, rowText } from "./row.js";

/** @typedef {import("./log.js").Row} Row */

/** Rows in the document while following, and while paused. */
const MAX_FOLLOWING = 150, MAX_PAUSED = 4000;
/** Milliseconds after the last keystroke of a search until a screen reader announces the result. */
const ANNOUNCE_DELAY = 700;
/** Milliseconds between two counts of what is found. */
const COUNT_INTERVAL = 250;

export class Monitor {
  /** The index in the log after the last row on the page. */
  #shown = 0;
  #follow = true;
  /** The scroll position of the newest rows when they were drawn. */
  #bottom = 0;
  #filter = new Filter();
  /** The row that a search has gone to. @type {HTMLElement | undefined} */
  #current;
  #countedAt = 0;
  /** The timer of the next announcement. */
  #announcement = 0;
  /** @type {WeakMap<Row, HTMLElement>} elements of rows that may still change */
  #rowElements = new WeakMap();
  /** Draws in the next frame. */
  requestFrame = onFrame(() => this.#draw());

  /**
   * @param {import("./log.js").Log} log
   * @param {typeof import("./elements.js").monitor} elements
   */
  constructor(log, elements) {
    this.log = log;
    this.elements = elements;
    const { rows, newest, pause, clear, search, previous, next, times, only, without } = elements;
    rows.addEventListener("scroll", () => this.#scrolled());
    newest.addEventListener("click", () => this.follow(true));
    pause.addEventListener("click", () => this.follow(!this.#follow));
    clear.addEventListener("click", () => this.clear());
    search.addEventListener("input", () => this.#search(search.value));
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#step(event.shiftKey ? -1 : 1);
    });
    previous.addEventListener("click", () => this.#step(-1));
    next.addEventListener("click", () => this.#step(1));
    times.addEventListener("change", () => this.#showTimes());
    for (const box of [only, without]) box.addEventListener("input", () => this.#setFilter());
  }

  /** Follows the newest rows, or pauses. @param {boolean} follow */
  follow(follow) {
    if (follow === this.#follow) return;
    this.#follow = follow;
    const { rows } = this.elements;
    const fromBottom = rows.scrollHeight - rows.scrollTop;
    this.#fill();
    rows.scrollTop = follow ? rows.scrollHeight : rows.scrollHeight - fromBottom;
    setPressed(this.elements.pause, !follow);
    this.requestFrame();
  }

  /** Marks what contains `query`. @param {string} query */
  #search(query) {
    this.#filter.query = query.toLowerCase();
    this.#refill();
    clearTimeout(this.#announcement);
    this.#announcement = setTimeout(() => { this.elements.announced.textContent = this.elements.found.textContent; }, ANNOUNCE_DELAY);
  }

  #setFilter() {
    const { only, without, filter } = this.elements;
    this.#filter.set(only.value, without.value);
    filter.classList.toggle("active", this.#filter.isSet);
    this.#refill();
  }

  #refill() {
    this.#fill();
    const { rows } = this.elements;
    rows.scrollTop = rows.scrollHeight;
  }

  /** Goes to the next or the previous row with what is searched for, and pauses there. @param {number} step */
  #step(step) {
    if (!this.#filter.query) return;
    this.follow(false);
    const hits = /** @type {HTMLElement[]} */ ([...this.elements.rows.querySelectorAll(".hit")]);
    if (hits.length === 0) return;
    const at = this.#current ? hits.indexOf(this.#current) : -1;
    // The first step goes to the newest.
    const index = at < 0 ? hits.length - 1 : (at + step + hits.length) % hits.length;
    this.#current?.classList.remove("current");
    this.#current = hits[index];
    this.#current.classList.add("current");
    this.#current.scrollIntoView({ block: "center" });
    this.#showFound();
    this.elements.announced.textContent = `${this.elements.found.textContent}: ${this.#current.textContent}`;
  }

  clear() {
    this.log.clear();
    this.#fill();
    this.follow(true);
  }

  #showTimes() {
    const { rows, times } = this.elements;
    rows.classList.toggle("with-times", times.checked);
    if (this.#follow) rows.scrollTop = rows.scrollHeight;
  }

  /** Returns all kept rows that the filter shows, as text. */
  text() {
    const times = this.elements.times.checked;
    const rows = this.log.slice(this.log.start).filter((row) => this.#filter.isShown(row));
    return rows.map((row) => `${rowText(row, times)}\n`).join("");
  }

  /** Adds new rows to the page. */
  #draw() {
    const { rows, newest } = this.elements;
    const unseen = this.log.end - this.#shown;
    newest.hidden = this.#follow;
    if (!this.#follow) {
      newest.textContent = unseen > 0 ? `${unseen.toLocaleString("en")} newer ↓` : "Newest ↓";
      return;
    }
    if (unseen > 0) {
      this.#append(Math.max(this.#shown, this.log.end - MAX_FOLLOWING * (this.#filter.isSet ? 20 : 1)));
      while (rows.childElementCount > MAX_FOLLOWING) rows.firstElementChild?.remove();
      this.#scrollToEnd();
      if (Date.now() - this.#countedAt >= COUNT_INTERVAL) this.#showFound();
    }
  }

  #scrollToEnd() {
    const { rows } = this.elements;
    rows.scrollTop = rows.scrollHeight;
    this.#bottom = rows.scrollTop;
  }

  /** Redraws a row that has changed. @param {Row} row */
  refresh(row) {
    const element = this.#rowElements.get(row);
    if (!element?.isConnected) return;
    element.replaceWith(this.#element(row));
    // The row may be taller than before.
    if (this.#follow) this.#scrollToEnd();
  }

  #fill() {
    const max = this.#follow ? MAX_FOLLOWING : MAX_PAUSED;
    this.elements.rows.replaceChildren();
    this.#current = undefined;
    // While paused, show nothing newer than before.
    const end = this.#follow ? this.log.end : Math.max(this.#shown, this.log.start);
    const rows = this.log.slice(this.log.start, end).filter((row) => this.#filter.isShown(row));
    this.elements.rows.append(...rows.slice(-max).map((row) => this.#element(row)));
    this.#shown = end;
    this.#showFound();
  }

  /** @param {number} from */
  #append(from) {
    const rows = this.log.slice(from).filter((row) => this.#filter.isShown(row));
    this.elements.rows.append(...rows.slice(-MAX_FOLLOWING).map((row) => this.#element(row)));
    this.#shown = this.log.end;
  }

  /** Says how much is found: among all rows, or, while paused, among those that a step can reach. */
  #showFound() {
    this.#countedAt = Date.now();
    const { found, rows, previous, next } = this.elements;
    let text = "";
    if (this.#filter.query && this.#follow) {
      const count = this.log.slice(this.log.start).filter((row) => this.#filter.isFound(row) && this.#filter.isShown(row)).length;
      text = `${count.toLocaleString("en")} found`;
    } else if (this.#filter.query) {
      const hits = [...rows.querySelectorAll(".hit")];
      const at = this.#current ? hits.indexOf(this.#current) + 1 : 0;
      text = at > 0 ? `${at} of ${hits.length}` : `${hits.length.toLocaleString("en")} found`;
    }
    previous.disabled = next.disabled = text === "" || text === "0 found";
    if (found.textContent !== text) found.textContent = text;
  }

  /** @param {Row} row */
  #element(row) {
    const element = rowElement(row, this.#filter);
    this.#rowElements.set(row, element);
    return element;
  }

  #scrolled() {
    const { rows } = this.elements;
    const fromBottom = rows.scrollHeight - rows.scrollTop - rows.clientHeight;
    // Only scrolling up pauses: removed rows and a resized window scroll as well.
    if (this.#follow && fromBottom > 60 && rows.scrollTop < this.#bottom) this.follow(false);
  }
}
