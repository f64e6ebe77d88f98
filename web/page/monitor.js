// Shows the log: the newest rows while following, and what is kept while somebody reads.

import { clock, visible } from "./parse.js";

/** @typedef {import("./log.js").Row} Row */

/** Rows on the page while new ones come, and while it stands still. */
const FOLLOWING = 150, READING = 4000;
/** Milliseconds after the last key of a search until a screen reader says what was found. */
const TYPING = 700;
/** Characters of a row that are shown; Copy and Save have all of them. */
const SHOWN = 2000;

export class Monitor {
  /** The number of the row after the last one that is on the page. */
  #shown = 0;
  #follow = true;
  /** Where the newest rows were when they were drawn. */
  #bottom = 0;
  #query = "";
  /** Rows found by the search, of all that were looked at. */
  #found = 0;
  #typed = 0;
  /** @type {WeakMap<Row, HTMLElement>} elements of rows that may still change */
  #elements = new WeakMap();

  /**
   * @param {import("./log.js").Log} log
   * @param {{rows: HTMLElement, newest: HTMLButtonElement, found: HTMLElement, announced: HTMLElement}} places
   * @param {(following: boolean) => void} changed
   */
  constructor(log, places, changed) {
    this.log = log;
    this.places = places;
    this.changed = changed;
    places.rows.addEventListener("scroll", () => this.#scrolled());
    places.newest.addEventListener("click", () => this.follow(true));
  }

  get following() {
    return this.#follow;
  }

  /** Goes on with the newest rows, or stands still. @param {boolean} follow */
  follow(follow) {
    if (follow === this.#follow) return;
    this.#follow = follow;
    const { rows } = this.places;
    const fromBottom = rows.scrollHeight - rows.scrollTop;
    this.#fill();
    rows.scrollTop = follow ? rows.scrollHeight : rows.scrollHeight - fromBottom;
    this.changed(follow);
  }

  /** Shows only rows that contain this. @param {string} query */
  search(query) {
    this.#query = query.toLowerCase();
    this.#fill();
    this.places.rows.scrollTop = this.places.rows.scrollHeight;
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => { this.places.announced.textContent = this.places.found.textContent; }, TYPING);
  }

  clear() {
    this.log.clear();
    this.#fill();
    this.follow(true);
  }

  /** All rows that are kept and found, as text. @param {boolean} times */
  text(times) {
    const rows = this.log.slice(this.log.start).filter((row) => this.#matches(row));
    const plain = rows.map((row) => {
      const sign = { line: "", part: "", sent: "> ", note: "# " }[row.kind];
      return `${times ? `${clock(row.t)} ` : ""}${sign}${row.text}`;
    });
    return plain.join("\n") + (plain.length > 0 ? "\n" : "");
  }

  /** Puts what is new on the page. At most once per frame. */
  draw() {
    const { rows, newest } = this.places;
    const waiting = this.log.end - this.#shown;
    newest.hidden = this.#follow;
    if (!this.#follow) {
      newest.textContent = waiting > 0 ? `${waiting.toLocaleString("en")} newer ↓` : "Newest ↓";
      return;
    }
    if (waiting > 0) {
      this.#append(Math.max(this.#shown, this.log.end - FOLLOWING * (this.#query ? 20 : 1)));
      while (rows.childElementCount > FOLLOWING) rows.firstElementChild?.remove();
      this.#toEnd();
    }
  }

  #toEnd() {
    const { rows } = this.places;
    rows.scrollTop = rows.scrollHeight;
    this.#bottom = rows.scrollTop;
  }

  /** Shows a row again that has changed. @param {Row} row */
  refresh(row) {
    const element = this.#elements.get(row);
    if (!element?.isConnected) return;
    element.replaceWith(this.#element(row));
    // It may be higher than before.
    if (this.#follow) this.#toEnd();
  }

  #fill() {
    const most = this.#follow ? FOLLOWING : READING;
    this.places.rows.replaceChildren();
    this.#found = 0;
    // While standing still, nothing newer than what was there.
    const end = this.#follow ? this.log.end : Math.max(this.#shown, this.log.start);
    const rows = this.log.slice(this.log.start, end).filter((row) => this.#matches(row));
    this.places.rows.append(...rows.slice(-most).map((row) => this.#element(row)));
    this.#found = rows.length;
    this.#shown = end;
    this.#tell();
  }

  /** @param {number} from */
  #append(from) {
    const rows = this.log.slice(from).filter((row) => this.#matches(row));
    this.#found += rows.length;
    this.places.rows.append(...rows.slice(-FOLLOWING).map((row) => this.#element(row)));
    this.#shown = this.log.end;
    this.#tell();
  }

  #tell() {
    const text = this.#query ? `${this.#found.toLocaleString("en")} found` : "";
    if (this.places.found.textContent !== text) this.places.found.textContent = text;
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
    const more = row.text.length - SHOWN;
    // What the device says is text: it goes into text nodes only.
    this.#mark(text, visible(more > 0 ? row.text.slice(0, SHOWN) : row.text));
    element.append(time, text);
    if (more > 0) text.append(` … and ${more.toLocaleString("en")} characters more, which Copy and Save have`);
    if (row.kind === "sent") {
      const answer = document.createElement("span");
      answer.className = row.state && row.state !== "ok" ? "answer wrong" : "answer";
      answer.textContent = row.state === "ok" ? "✓" : row.state ?? "…";
      element.append(answer);
    }
    this.#elements.set(row, element);
    return element;
  }

  /** @param {HTMLElement} element @param {string} text */
  #mark(element, text) {
    const lower = text.toLowerCase();
    // Lower case may have another length in some scripts; then there is nothing to point at.
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
    const { rows } = this.places;
    const fromBottom = rows.scrollHeight - rows.scrollTop - rows.clientHeight;
    // Upwards only: rows that go at the top, and a window that changes, scroll too.
    if (this.#follow && fromBottom > 60 && rows.scrollTop < this.#bottom) this.follow(false);
  }
}
