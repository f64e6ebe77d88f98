// Offers what would help as a button, or says which flag does it.

import { whyFixed } from "./settings.js";

/** The views of this page by those of serial-ws. */
const VIEWS = { raw: "hex", text: "text", lines: "lines" };
/** The flags by what they set. */
const FLAGS = { baud: "--baud", dataBits: "--data-bits", parity: "--parity", frame: "--frame", maxLine: "--max-line" };

/** @typedef {{view?: string, baud?: number, dataBits?: number, parity?: string, frame?: string, maxLine?: number}} Helpful */

export class Advice {
  /** What the button does. */
  #act = () => {};

  /**
   * @param {{text: HTMLElement, button: HTMLButtonElement}} elements
   * @param {(view: string) => void} chooseView
   * @param {(change: object) => void} change
   */
  constructor(elements, chooseView, change) {
    this.elements = elements;
    this.chooseView = chooseView;
    this.change = change;
    elements.button.addEventListener("click", () => {
      elements.button.hidden = true;
      this.#act();
    });
  }

  /**
   * @param {{advice?: Helpful, hint?: string, settings?: any}} status of serial-ws
   * @param {string} shown the view of this page
   * @param {string} refusal why this page may change nothing, or ""
   * @param {boolean} hasBoard true if this page may change what is fixed
   */
  show({ advice = {}, hint = "", settings = {} }, shown, refusal, hasBoard) {
    const { button, text } = this.elements;
    const { baud, dataBits, parity } = advice;
    const change = Object.fromEntries(Object.entries({ baud, dataBits, parity }).filter(([, value]) => value !== undefined));
    const reasons = Object.keys(change).map((name) => refusal || (!hasBoard && whyFixed(settings, name))).filter(Boolean);
    const view = VIEWS[advice.view ?? ""];
    const isChange = Object.keys(change).length > 0 && reasons.length === 0;
    const isView = !isChange && view !== undefined && view !== shown;
    button.hidden = !isChange && !isView;
    button.textContent = isView ? `Show as ${view}` : `Set ${inWords(advice)}`;
    this.#act = () => (isView ? this.chooseView(view) : this.change(change));
    text.textContent = reasons.length > 0 ? because(advice, reasons[0], refusal !== "") : flag(advice, hint);
  }
}

/** @param {Helpful} advice */
function inWords({ baud, dataBits, parity }) {
  return [baud && `${baud} baud`, dataBits && `${dataBits} data bits`, parity && `${parity} parity`].filter(Boolean).join(", ");
}

/** Says why the page cannot do it, and what people can do. @param {Helpful} advice @param {string} reason @param {boolean} isRefused */
function because(advice, reason, isRefused) {
  if (isRefused) return `This page cannot set ${inWords(advice)} now: ${reason}.`;
  return `It is ${reason}. Start serial-ws with ${flags(advice)}, or take the board to try it.`;
}

/** Says which flag it takes, unless the hint does. @param {Helpful} advice @param {string} hint */
function flag({ frame, maxLine }, hint) {
  const text = flags({ frame, maxLine });
  return text && !hint.includes("--") ? `Start serial-ws with ${text}.` : "";
}

/** @param {Helpful} advice */
function flags(advice) {
  return Object.entries(FLAGS).filter(([name]) => advice[name] !== undefined).map(([name, flag]) => `${flag} ${advice[name]}`).join(" ");
}
