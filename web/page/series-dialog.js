// Asks for the name and the colour of a series.

import { visible } from "./format.js";

export class SeriesDialog {
  /** The series that is edited. */
  #series = "";

  /**
   * @param {typeof import("./elements.js").seriesDialog} elements
   * @param {import("./appearance.js").Appearance} appearance
   * @param {() => void} onChange
   */
  constructor(elements, appearance, onChange) {
    this.elements = elements;
    this.appearance = appearance;
    this.onChange = onChange;
    const { dialog, form, name, colours, own, cancel } = elements;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      appearance.rename(this.#series, name.value);
      const chosen = colours.querySelector("input:checked");
      if (chosen instanceof HTMLInputElement) appearance.paint(this.#series, Number(chosen.value));
      dialog.close();
      onChange();
    });
    own.addEventListener("click", () => {
      name.value = visible(this.#series);
      name.focus();
    });
    cancel.addEventListener("click", () => dialog.close());
  }

  /** @param {string} series @param {number} index that of the series */
  open(series, index) {
    const { dialog, name, colours, own } = this.elements;
    this.#series = series;
    name.value = this.appearance.label(series);
    own.textContent = `Call it ${visible(series)} again`;
    own.hidden = name.value === visible(series);
    const colour = this.appearance.colour(series, index);
    for (const input of colours.querySelectorAll("input")) input.checked = Number(input.value) === colour;
    dialog.showModal();
    name.select();
  }
}
