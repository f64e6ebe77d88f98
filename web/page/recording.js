// The recording of the port, on the computer of serial-ws: starts and stops it, shows its size so far, and adds notes.

/** Milliseconds between two looks at the size. */
const SIZE_INTERVAL = 2000;
const PORTS = new URL("../api/ports", import.meta.url);
const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** Returns a size with three digits at most. @param {number} bytes */
export function size(bytes) {
  let value = bytes;
  let unit = 0;
  // What would be shown as 1000 is one of the next unit.
  for (; value >= 999.5 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${value.toFixed(unit && value < 9.95 ? 1 : 0)} ${UNITS[unit]}`;
}

export class Recording {
  #isOn = false;
  #port = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {typeof import("./elements.js").recording} elements
   * @param {object} acts
   * @param {(request: object) => Promise<unknown>} acts.request fails with the reason
   * @param {(error: Error) => void} acts.fail shows a reason
   * @param {(text: string) => void} acts.note
   */
  constructor(elements, { request, fail, note }) {
    this.elements = elements;
    const { menu, toggle, form, text } = elements;
    toggle.addEventListener("click", () => {
      request({ type: "record", on: !this.#isOn }).catch(fail);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const remark = text.value.trim();
      if (!remark) return;
      try {
        await request({ type: "note", text: remark });
        note(`noted in the recording: ${remark}`);
        text.value = "";
      } catch (error) {
        fail(/** @type {Error} */ (error));
      }
    });
    menu.addEventListener("toggle", () => menu.open && this.#look());
  }

  /** @param {any} status @param {any} hello undefined before the first connection @param {string} refusal why this page may change nothing, or "" */
  show({ recording }, hello, refusal) {
    const { menu, size: figure, toggle, about, form, controls, none } = this.elements;
    const canRecord = Boolean(hello?.port.settings.recordable);
    this.#isOn = Boolean(recording);
    this.#port = hello?.port.name ?? "";
    menu.hidden = !hello;
    menu.dataset.recording = !recording ? "off" : recording.problem ? "paused" : "on";
    figure.textContent = recording ? size(recording.bytes) : "Record";
    none.hidden = canRecord;
    controls.hidden = !canRecord;
    form.hidden = !recording;
    toggle.textContent = recording ? "Stop recording" : "Start recording";
    toggle.disabled = refusal !== "";
    toggle.title = refusal;
    about.textContent = !recording
      ? "A recording is a file on the computer of serial-ws with everything that the board sends and receives. It begins with what serial-ws still remembers."
      : recording.problem ? `Paused: ${recording.problem}.` : `Recording to ${recording.file}`;
    if (Boolean(recording) === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = recording ? setInterval(() => this.#look(), SIZE_INTERVAL) : undefined;
  }

  /** Shows the size of now. */
  async #look() {
    if (!this.#isOn || document.hidden) return;
    try {
      const ports = await (await fetch(PORTS)).json();
      const port = ports.find((/** @type {any} */ { name }) => name === this.#port);
      const bytes = port?.status.recording?.bytes;
      if (this.#isOn && bytes !== undefined) this.elements.size.textContent = size(bytes);
    } catch {
      // The status tells what became of the connection.
    }
  }
}
