// Remembers what people chose for a port in menus and boxes, and chooses it again.

import { monitor, plot, sending } from "./elements.js";

/** The controls whose choice is remembered, by name. @type {Record<string, HTMLSelectElement>} */
const SELECTS = { span: plot.span, ending: sending.ending };
/** @type {Record<string, HTMLInputElement>} */
const BOXES = { times: monitor.times };
/** @type {Record<string, HTMLInputElement>} */
const TEXTS = { only: monitor.only, without: monitor.without };

export class Preferences {
  /** What the page begins with. @type {Record<string, any>} */
  #presets = {};

  /** @param {import("./memory.js").Memory} memory @param {import("./plotter.js").Plotter} plotter */
  constructor(memory, plotter) {
    this.memory = memory;
    this.plotter = plotter;
    for (const [name, select] of Object.entries(SELECTS)) {
      this.#presets[name] = select.value;
      select.addEventListener("change", () => memory.set(name, select.value));
    }
    for (const [name, box] of Object.entries(BOXES)) {
      this.#presets[name] = box.checked;
      box.addEventListener("change", () => memory.set(name, box.checked));
    }
    for (const [name, box] of Object.entries(TEXTS)) box.addEventListener("input", () => memory.set(name, box.value));
    plotter.scales.onChoice = () => memory.set("scale", plotter.scales.choice);
  }

  /** Chooses what is remembered of the port. */
  recall() {
    const { memory, plotter } = this;
    for (const [name, select] of Object.entries(SELECTS)) {
      const value = memory.get(name, this.#presets[name]);
      // A version before or after this one may have had another choice.
      const isListed = [...select.options].some((option) => option.value === value);
      choose(select, "value", isListed ? value : this.#presets[name]);
    }
    for (const [name, box] of Object.entries(BOXES)) choose(box, "checked", memory.get(name, this.#presets[name]));
    for (const [name, box] of Object.entries(TEXTS)) {
      box.value = memory.get(name, "");
      box.dispatchEvent(new Event("input"));
    }
    plotter.scales.choice = memory.get("scale", {});
  }
}

/** Changes a control as people do, but only if that changes anything. */
function choose(control, property, value) {
  if (control[property] === value) return;
  control[property] = value;
  control.dispatchEvent(new Event("change"));
}
