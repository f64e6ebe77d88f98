// Says why there are no lines, while nothing arrives from an open port.

/** Milliseconds of silence on an open port before the page suggests reasons. */
const SILENCE_TIMEOUT = 3000;

export class Silence {
  /** True until the board has sent something. */
  #isSilent = true;

  /** @param {HTMLElement} element with the text for a board that has sent nothing */
  constructor(element) {
    this.element = element;
    this.nothingReceived = element.textContent;
  }

  restart() {
    this.#isSilent = true;
  }

  end() {
    this.#isSilent = false;
    this.element.hidden = true;
  }

  /**
   * Shows or hides the explanation.
   * @param {import("./connection.js").Connection} connection
   * @param {number} activeAt the time of the last sign of life, in milliseconds
   */
  async update(connection, activeAt) {
    if (!this.#isSilent || !connection.isOpen) this.element.hidden = true;
    else if (Date.now() - activeAt >= SILENCE_TIMEOUT) await this.#explain(connection);
  }

  /** Nothing has come, or no line has ended. */
  async #explain(connection) {
    const { serial, hello } = connection;
    let explanation = "No lines received yet.";
    try {
      const { ports } = await (await fetch(new URL("../api/status", import.meta.url), { signal: AbortSignal.timeout(3000) })).json();
      const { bytes, lines } = ports.find((port) => port.name === hello.port.name);
      const unfinished = lines === 0 ? bytes : bytes - hello.offset;
      explanation = unfinished > 0
        ? `The board has sent ${unfinished.toLocaleString("en")} bytes, but no line has ended yet. To see them as they come, choose text above.`
        : this.nothingReceived;
    } catch {
      // What is not known is not said.
    }
    if (connection.serial !== serial || !this.#isSilent || !connection.isOpen) return;
    this.element.textContent = explanation;
    this.element.hidden = false;
  }
}
