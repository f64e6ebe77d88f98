// Lists the series below the plot: their values, and the lowest, mean and highest of what is shown.

import { short } from "./format.js";
import { MAX_IGNORED } from "./series.js";

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} label
 * @property {number} colour
 * @property {boolean} isDashed
 * @property {boolean} isHidden
 * @property {number} value
 * @property {import("./series.js").Summary} [summary] undefined to keep what is shown
 */

export class Legend {
  /** @type {Map<string, {row: HTMLElement, show: HTMLElement, swatch: HTMLElement, label: HTMLElement, edit: HTMLElement, cells: HTMLElement[]}>} */
  #rows = new Map();

  /**
   * @param {{legend: HTMLTableElement, legendRows: HTMLElement, more: HTMLElement}} elements
   * @param {{toggle: (name: string) => void, edit: (name: string) => void}} actions
   */
  constructor(elements, actions) {
    this.elements = elements;
    this.actions = actions;
  }

  clear() {
    this.#rows.clear();
    this.elements.legendRows.replaceChildren();
    this.elements.legend.hidden = true;
    this.elements.more.hidden = true;
  }

  /** @param {Entry[]} entries @param {number} ignored the number of series that are not kept */
  show(entries, ignored) {
    this.elements.legend.hidden = entries.length === 0;
    for (const entry of entries) this.#update(this.#rows.get(entry.name) ?? this.#add(entry.name), entry);
    this.elements.more.hidden = ignored === 0;
    setText(this.elements.more, `and ${ignored}${ignored < MAX_IGNORED ? "" : "+"} more series, which are not kept`);
  }

  #update({ show, swatch, label, edit, cells }, { label: text, colour, isDashed, isHidden, value, summary }) {
    const look = `swatch s${colour + 1}${isDashed ? " dashed" : ""}`;
    if (swatch.className !== look) swatch.className = look;
    if (label.textContent !== text) {
      label.textContent = text;
      show.title = `Show or hide ${text}`;
      edit.title = `Rename or recolour ${text}`;
      edit.setAttribute("aria-label", edit.title);
    }
    show.setAttribute("aria-pressed", String(!isHidden));
    setText(cells[0], short(value));
    if (!summary) return;
    const { count, low, mean, high } = summary;
    [low, mean, high].forEach((number, index) => setText(cells[index + 1], count > 0 ? brief(number) : "–"));
  }

  #add(name) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    const show = button("show");
    const swatch = document.createElement("span");
    const label = document.createElement("span");
    label.className = "name";
    show.append(swatch, label);
    show.addEventListener("click", () => this.actions.toggle(name));
    const edit = button("edit");
    edit.textContent = "✎";
    edit.addEventListener("click", () => this.actions.edit(name));
    const line = document.createElement("div");
    line.append(show, edit);
    head.append(line);
    const cells = ["value", "low", "mean", "high"].map((kind) => {
      const cell = document.createElement("td");
      cell.className = kind;
      return cell;
    });
    row.append(head, ...cells);
    this.elements.legendRows.append(row);
    const parts = { row, show, swatch, label, edit, cells };
    this.#rows.set(name, parts);
    return parts;
  }
}

/** @param {string} kind */
function button(kind) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = kind;
  return element;
}

/** Formats a statistic, which needs fewer digits than a value. @param {number} value */
function brief(value) {
  return Number.isInteger(value) ? short(value) : short(Number(value.toPrecision(5)));
}

/** Sets the text only if it differs, to avoid needless layout. @param {HTMLElement} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
