// Makes the element of a row of the log. What the device sends is untrusted: it only ever becomes text nodes.

import { plain, runs } from "./ansi.js";
import { clock, visible } from "./format.js";

/** @typedef {import("./log.js").Row} Row */

/** Characters shown of a row. Copy and Save include all of them. */
const MAX_SHOWN = 2000;

/** @param {Row} row @param {import("./filter.js").Filter} filter */
export function rowElement(row, filter) {
  const element = document.createElement("div");
  element.className = `row ${row.kind}${filter.isFound(row) ? " hit" : ""}`;
  const time = document.createElement("time");
  time.textContent = clock(row.t);
  const text = document.createElement("span");
  const left = row.text.length - MAX_SHOWN;
  write(text, left > 0 ? row.text.slice(0, MAX_SHOWN) : row.text, filter.query);
  element.append(time, text);
  if (left > 0) text.append(` … and ${left.toLocaleString("en")} more characters (Copy and Save include them)`);
  if (row.kind === "sent") element.append(note(row.state === "ok" ? "✓" : row.state ?? "…", row.state && row.state !== "ok"));
  if (row.kind === "other") element.append(note(row.state ?? "", false));
  return element;
}

/** @param {string} text @param {unknown} isFailure */
function note(text, isFailure) {
  const reply = document.createElement("span");
  reply.className = isFailure ? "reply failed" : "reply";
  reply.textContent = text;
  return reply;
}

/** Returns a row as plain text. @param {Row} row @param {boolean} withTime */
export function rowText(row, withTime) {
  const prefix = { line: "", part: "", sent: "> ", other: "> ", note: "# " }[row.kind];
  return `${withTime ? `${clock(row.t)} ` : ""}${prefix}${plain(row.text)}`;
}

/** Writes text in its colours, with what people search for marked. */
function write(element, text, query) {
  const parts = runs(text).map((run) => ({ ...run, text: visible(run.text) }));
  const all = parts.map((run) => run.text).join("").toLowerCase();
  const length = parts.reduce((sum, run) => sum + run.text.length, 0);
  // In some scripts lower case changes the length, so that places do not match: mark nothing.
  const marks = query && all.length === length ? places(all, query) : [];
  let start = 0;
  for (const { text, classes } of parts) {
    const target = classes.length > 0 ? document.createElement("span") : element;
    if (target !== element) target.className = classes.join(" ");
    let from = 0;
    for (const [begin, end] of marks) {
      const [left, right] = [Math.max(begin - start, from), Math.min(end - start, text.length)];
      if (left >= right) continue;
      const mark = document.createElement("mark");
      mark.textContent = text.slice(left, right);
      target.append(text.slice(from, left), mark);
      from = right;
    }
    target.append(text.slice(from));
    if (target !== element) element.append(target);
    start += text.length;
  }
}

/** Returns where a text has another. @param {string} text @param {string} query @returns {[number, number][]} */
function places(text, query) {
  /** @type {[number, number][]} */
  const found = [];
  for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) found.push([at, at + query.length]);
  return found;
}
