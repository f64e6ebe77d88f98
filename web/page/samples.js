// Lists the samples that the plot shows as a table, for people who would rather read.

import { clock, short } from "./format.js";

/** Rows of the table. */
const MAX_ROWS = 200;

/** @param {HTMLTableElement} element @param {import("./series.js").Table} table @param {[name: string, label: string][]} columns @param {number} first @param {number} last */
export function showSamples(element, table, columns, first, last) {
  const head = document.createElement("tr");
  head.append(cell("th", "Time"), ...columns.map(([, label]) => cell("th", label)));
  const rows = [];
  for (let row = last - 1; row >= first && rows.length < MAX_ROWS; row--) {
    const values = columns.map(([name]) => table.exactly(name, row));
    if (values.every(Number.isNaN)) continue;
    const line = document.createElement("tr");
    line.append(cell("th", clock(table.time(row)), "row"), ...values.map((value) => cell("td", Number.isNaN(value) ? "" : short(value))));
    rows.push(line);
  }
  element.tHead?.replaceChildren(head);
  element.tBodies[0].replaceChildren(...rows);
  const { caption } = element;
  if (caption) caption.textContent = rows.length < MAX_ROWS ? "Samples in this span, newest first" : `The newest ${MAX_ROWS} samples in this span, newest first`;
}

/** @param {"th" | "td"} kind @param {string} text @param {"col" | "row"} [scope] of a heading */
function cell(kind, text, scope = "col") {
  const element = document.createElement(kind);
  element.textContent = text;
  if (element instanceof HTMLTableCellElement && kind === "th") element.scope = scope;
  return element;
}
