// The send box: a text area that grows with its text and recalls earlier texts. Each line of a text
// is a message of its own, which goes out once the line before it has been written.

/** Texts that the box remembers; the oldest is dropped. */
const MAX_REMEMBERED = 50;

/** @typedef {import("./log.js").Row} Row */

/**
 * Splits a text into messages, one for each line. A line end that the text has itself stays where
 * nothing is added, except at the end of a message to which serial-ws adds one.
 * @param {string} text with `\n` at the end of each line, and perhaps of the last one
 * @param {string} ending what to add to each line
 * @param {boolean} isAdded true if serial-ws adds an ending
 * @returns {string[]}
 */
export function messages(text, ending, isAdded) {
  const lines = text.split("\n");
  const isEnded = lines.length > 1 && lines.at(-1) === "";
  if (isEnded) lines.pop();
  if (isAdded) return lines;
  if (ending) return lines.map((line) => line + ending);
  return lines.map((line, index) => (isEnded || index < lines.length - 1 ? `${line}\n` : line));
}

export class SendBox {
  /** Texts that were sent, and the index of the one that the box shows. */
  #sent = { texts: /** @type {string[]} */ ([]), at: 0 };
  /** Rows that wait for the line before them. @type {Row[]} */
  #queue = [];
  /** Called when a text was added to those that were sent. */
  onSent = () => {};

  /**
   * @param {{send: HTMLFormElement, text: HTMLTextAreaElement, ending: HTMLSelectElement}} elements
   * @param {object} rows
   * @param {(text: string) => Row} rows.add adds a row for a text
   * @param {(row: Row) => Promise<void>} rows.send sends the text of a row, and sets and shows its state
   * @param {(row: Row) => void} rows.refresh shows a row whose state has changed
   */
  constructor(elements, rows) {
    this.elements = elements;
    this.rows = rows;
    elements.send.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = elements.text.value;
      this.set("");
      this.submit(text);
    });
    elements.text.addEventListener("keydown", (event) => this.#onKey(event));
    elements.text.addEventListener("input", () => this.#fit());
  }

  /** The texts that were sent, the newest last. */
  get sent() {
    return this.#sent.texts;
  }

  set sent(texts) {
    this.#sent = { texts: texts.slice(-MAX_REMEMBERED), at: texts.length };
  }

  /** Sends a text with the ending that is chosen. @param {string} text */
  submit(text) {
    const { ending } = this.elements;
    const isAdded = ending.disabled;
    if (text === "" && (isAdded || ending.value === "")) return;
    const { texts } = this.#sent;
    if (text) {
      // Each text is there once, so that the menu is short.
      this.sent = [...texts.filter((other) => other !== text), text];
      this.onSent();
    }
    const isIdle = this.#queue.length === 0;
    for (const message of messages(text, ending.value, isAdded)) this.#queue.push(this.rows.add(message));
    if (isIdle) this.#drain();
  }

  /** Writes what waits, line by line. After an error the rest is not sent: it may depend on that line. */
  async #drain() {
    while (this.#queue.length > 0) {
      await this.rows.send(this.#queue[0]);
      const row = this.#queue.shift();
      if (row.state === "ok") continue;
      for (const left of this.#queue.splice(0)) {
        left.state = "not sent";
        this.rows.refresh(left);
      }
    }
  }

  #onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.elements.send.requestSubmit();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.#recall(event, event.key === "ArrowUp" ? -1 : 1);
    }
  }

  /** Shows an earlier or a later text, unless the cursor can move to another line. */
  #recall(event, step) {
    const { value, selectionStart, selectionEnd } = this.elements.text;
    const beyond = step < 0 ? value.slice(0, selectionStart) : value.slice(selectionEnd);
    if (event.shiftKey || beyond.includes("\n")) return;
    event.preventDefault();
    const { texts, at } = this.#sent;
    this.#sent.at = Math.max(0, Math.min(at + step, texts.length));
    this.set(texts[this.#sent.at] ?? "");
  }

  /** Shows a text in the box. @param {string} text */
  set(text) {
    this.elements.text.value = text;
    this.#fit();
  }

  /** Makes the box as high as its text, up to the height that the style sheet allows. */
  #fit() {
    const box = this.elements.text;
    box.style.height = "auto";
    // With the border, which scrollHeight leaves out.
    box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
  }
}
