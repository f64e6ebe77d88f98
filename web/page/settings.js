// The settings of the line: the menu of rates, and the data format. Says which are fixed, and by what.

/** The rates of the menu. 1200 is not among them: it makes some boards start their bootloader. */
const RATES = [300, 2400, 4800, 9600, 14400, 19200, 28800, 31250, 38400, 57600, 74880, 115200, 230400, 250000, 460800, 500000, 921600, 1000000, 2000000];
/** The values of the options that are no rates. */
const AUTO = "auto", OTHER = "other";
/** The settings in words. */
const WORDS = { baud: "Rate", dataBits: "Data bits", parity: "Parity", stopBits: "Stop bits", flowControl: "Flow control", dtr: "DTR", rts: "RTS" };

/**
 * Says what fixes a setting, or nothing if it may be changed.
 * @param {any} settings @param {string} name
 */
export function whyFixed({ fixed = {}, ...settings }, name) {
  const value = settings[name] === undefined ? "" : ` to ${settings[name]}`;
  return fixed[name] && `fixed${value} by ${fixed[name]}`;
}

export class Settings {
  /** The settings that are shown. @type {any} */
  #shown = {};
  /** True if the rate is that of an open device, and not just the first to be tried. */
  #isOpen = false;

  /**
   * @param {typeof import("./elements.js").settings} elements
   * @param {(change: object) => Promise<void>} change shows its error, if any
   */
  constructor(elements, change) {
    this.elements = elements;
    this.change = change;
    const { baud, other } = elements;
    baud.addEventListener("change", () => {
      other.hidden = baud.value !== OTHER;
      if (other.hidden) return this.#set({ baud: baud.value === AUTO ? AUTO : Number(baud.value) });
      other.value = String(this.#shown.baud);
      other.focus();
      other.select();
    });
    other.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") this.#setOther();
      else if (key === "Escape") this.#leaveOther();
      if (key === "Escape") baud.focus();
    });
    // Whoever leaves the field with another number means it.
    other.addEventListener("blur", () => {
      if (other.hidden) return;
      if (Number(other.value) === this.#shown.baud) this.#leaveOther();
      else this.#setOther();
    });
    for (const [name, control] of Object.entries(this.#format)) {
      control.addEventListener("change", () => this.#set({ [name]: Number(control.value) || control.value }));
    }
  }

  /** The controls of the data format by the names of their settings. */
  get #format() {
    const { dataBits, parity, stopBits, flowControl } = this.elements;
    return { dataBits, parity, stopBits, flowControl };
  }

  async #set(change) {
    await this.change(change);
    // What was refused stays as it was.
    this.#fill();
  }

  #setOther() {
    const { baud, other } = this.elements;
    if (!other.checkValidity() || other.value === "") return void other.reportValidity();
    const isFocused = document.activeElement === other;
    other.hidden = true;
    if (isFocused) baud.focus();
    this.#set({ baud: Number(other.value) });
  }

  #leaveOther() {
    this.elements.other.hidden = true;
    this.#fill();
  }

  /**
   * @param {{state: string, settings?: any}} status with the settings in force, once they are known
   * @param {string} refusal why this page may change nothing, or ""
   * @param {boolean} hasBoard true if this page has the write lock, and may change what is fixed
   */
  show({ state, settings }, refusal, hasBoard) {
    const { choice, baud, remark, fixed } = this.elements;
    choice.hidden = !settings;
    if (!settings) return;
    this.#shown = settings;
    this.#isOpen = state === "open";
    const why = (/** @type {string} */ name) => refusal || (!hasBoard && whyFixed(settings, name));
    for (const [name, control] of Object.entries({ baud, ...this.#format })) {
      control.disabled = Boolean(why(name));
      control.title = why(name) || (name === "baud" ? rateInWords(settings) : "");
    }
    remark.textContent = settings.baudDetected ? "detected" : "";
    remark.title = baud.title;
    const names = Object.keys(WORDS).filter((name) => whyFixed(settings, name));
    fixed.list.replaceChildren(...names.map((name) => {
      const item = document.createElement("li");
      item.textContent = `${WORDS[name]}: ${whyFixed(settings, name)}`;
      return item;
    }));
    fixed.box.hidden = names.length === 0;
    fixed.remedy.textContent = hasBoard ? "You have the board and may change them. They return when you give it back." : "Take the board to change them for a while.";
    this.#fill();
  }

  /** Shows the values in force, unless a rate is being typed. */
  #fill() {
    const { baud, other } = this.elements;
    const { baudAuto } = this.#shown;
    const rate = this.#shown.baud;
    for (const [name, control] of Object.entries(this.#format)) control.value = String(this.#shown[name]);
    if (!other.hidden) return;
    const name = (/** @type {number} */ it) => (it === rate && baud.disabled && whyFixed(this.#shown, "baud") ? `${it} · fixed` : String(it));
    const rates = RATES.includes(rate) ? RATES : [...RATES, rate].sort((a, b) => a - b);
    const auto = new Option(baudAuto && this.#isOpen ? `auto · ${rate}` : "auto", AUTO);
    const options = [auto, ...rates.map((it) => new Option(name(it), String(it))), new Option("other…", OTHER)];
    // Nothing is changed without need: the menu may be open.
    const text = options.map((option) => option.text).join();
    if (baud.dataset.shown !== text) baud.replaceChildren(...options);
    baud.dataset.shown = text;
    baud.value = baudAuto ? AUTO : String(rate);
  }
}

/** @param {any} settings */
function rateInWords({ baudAuto, baudDetected }) {
  if (baudDetected) return "serial-ws has found this rate by listening";
  return baudAuto ? "serial-ws listens for the rate: lines of text will show it" : "Baud rate: bits per second";
}
