// Shows the log: the newest rows while following, and the kept rows while paused.

import { clock, visible } from "./format.js";
import { onFrame } from "./frame.js";
import { setPressed } from "./pressed.js";

/** @typedef {import("./log.js").Row} Row */

/** Rows in the document while following, and while paused. */
const MAX_FOLLOWING = 150, MAX_PAUSED = 4000;
/** Milliseconds after the last keystroke of a search until a screen reader announces the result. */
const ANNOUNCE_DELAY = 700;
/** Characters shown of a row. Copy and Save include all of them. */
const MAX_SHOWN = 2000;

export class Monitor {
  /** The index in the log after the last row on the page. */
  #shown = 0;
  #follow = true;
  /** The scroll position of the newest rows when they were drawn. */
  #bottom = 0;
  #query = "";
  /** The number of rows that match the search, including those no longer on the page. */
  #found = 0;
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
    const { rows, newest, pause, clear, search, times } = elements;
    rows.addEventListener("scroll", () => this.#scrolled());
    newest.addEventListener("click", () => this.follow(true));
    pause.addEventListener("click", () => this.follow(!this.#follow));
    clear.addEventListener("click", () => this.clear());
    search.addEventListener("input", () => this.search(search.value));
    times.addEventListener("change", () => this.#showTimes());
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

  /** Shows only rows that contain `query`. @param {string} query */
  search(query) {
    this.#query = query.toLowerCase();
    this.#fill();
    this.elements.rows.scrollTop = this.elements.rows.scrollHeight;
    clearTimeout(this.#announcement);
    this.#announcement = setTimeout(() => { this.elements.announced.textContent = this.elements.found.textContent; }, ANNOUNCE_DELAY);
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

  /** Returns all kept rows that match the search, as text. */
  text() {
    const times = this.elements.times.checked;
    const rows = this.log.slice(this.log.start).filter((row) => this.#matches(row));
    const plain = rows.map((row) => {
      const prefix = { line: "", part: "", sent: "> ", note: "# " }[row.kind];
      return `${times ? `${clock(row.t)} ` : ""}${prefix}${row.text}`;
    });
    return plain.join("\n") + (plain.length > 0 ? "\n" : "");
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
      this.#append(Math.max(this.#shown, this.log.end - MAX_FOLLOWING * (this.#query ? 20 : 1)));
      while (rows.childElementCount > MAX_FOLLOWING) rows.firstElementChild?.remove();
      this.#scrollToEnd();
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
    this.#found = 0;
    // While paused, show nothing newer than before.
    const end = this.#follow ? this.log.end : Math.max(this.#shown, this.log.start);
    const rows = this.log.slice(this.log.start, end).filter((row) => this.#matches(row));
    this.elements.rows.append(...rows.slice(-max).map((row) => this.#element(row)));
    this.#found = rows.length;
    this.#shown = end;
    this.#showFound();
  }

  /** @param {number} from */
  #append(from) {
    const rows = this.log.slice(from).filter((row) => this.#matches(row));
    this.#found += rows.length;
    this.elements.rows.append(...rows.slice(-MAX_FOLLOWING).map((row) => this.#element(row)));
    this.#shown = this.log.end;
    this.#showFound();
  }

  #showFound() {
    const text = this.#query ? `${this.#found.toLocaleString("en")} found` : "";
    if (this.elements.found.textContent !== text) this.elements.found.textContent = text;
  }

  /** @param {Row} row */
  #matches(row) {
    return !this.#query || row.text.toLowerCase().includes(this.#query);
  }

  /** @param {Row} row */
  #element(row) {
    const element = document.createElement("div");
    element.className = `row ${row.kind}`;
    const time = document.createElement("time");
    time.textContent = clock(row.t);
    const text = document.createElement("span");
    const hidden = row.text.length - MAX_SHOWN;
    // Data from the device is untrusted, so it only ever becomes text nodes.
    this.#highlight(text, visible(hidden > 0 ? row.text.slice(0, MAX_SHOWN) : row.text));
    element.append(time, text);
    if (hidden > 0) text.append(` … and ${hidden.toLocaleString("en")} more characters (Copy and Save include them)`);
    if (row.kind === "sent") {
      const reply = document.createElement("span");
      reply.className = row.state && row.state !== "ok" ? "reply failed" : "reply";
      reply.textContent = row.state === "ok" ? "✓" : row.state ?? "…";
      element.append(reply);
    }
    this.#rowElements.set(row, element);
    return element;
  }

  /** @param {HTMLElement} element @param {string} text */
  #highlight(element, text) {
    const lower = text.toLowerCase();
    // In some scripts lower case changes the length, so that indices do not match: highlight nothing.
    if (!this.#query || lower.length !== text.length) {
      element.textContent = text;
      return;
    }
    let from = 0;
    for (let at = lower.indexOf(this.#query); at >= 0; at = lower.indexOf(this.#query, from)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(at, at + this.#query.length);
      element.append(text.slice(from, at), mark);
      from = at + this.#query.length;
    }
    element.append(text.slice(from));
  }

  #scrolled() {
    const { rows } = this.elements;
    const fromBottom = rows.scrollHeight - rows.scrollTop - rows.clientHeight;
    // Only scrolling up pauses: removed rows and a resized window scroll as well.
    if (this.#follow && fromBottom > 60 && rows.scrollTop < this.#bottom) this.follow(false);
  }
}
