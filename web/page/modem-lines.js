// The modem lines: DTR, RTS and break to set, and the inputs to look at.

/** Milliseconds of a break. */
const BREAK_TIME = 250;
const INPUTS = ["cts", "dsr", "dcd", "ri"];

export class ModemLines {
  /**
   * @param {typeof import("./elements.js").lines} elements
   * @param {(request: object) => Promise<void>} request shows its error, if any
   */
  constructor(elements, request) {
    this.elements = elements;
    const { dtr, rts, sendBreak } = elements;
    dtr.addEventListener("change", () => request({ type: "signals", dtr: dtr.checked }));
    rts.addEventListener("change", () => request({ type: "signals", rts: rts.checked }));
    sendBreak.addEventListener("click", () => request({ type: "break", ms: BREAK_TIME }));
  }

  /** @param {any} status @param {string} refusal why this page may change nothing, or "" */
  show({ state, inputs }, refusal) {
    const { controls, none, dtr, rts } = this.elements;
    controls.disabled = !inputs || refusal !== "";
    controls.title = refusal;
    none.hidden = Boolean(inputs) || state !== "open";
    // Until they are set here, it is not known how they are.
    if (state !== "open") dtr.indeterminate = rts.indeterminate = true;
    for (const name of INPUTS) {
      const element = this.elements[name];
      element.textContent = !inputs ? "–" : inputs[name] ? "on" : "off";
      element.classList.toggle("on", Boolean(inputs?.[name]));
    }
  }
}
