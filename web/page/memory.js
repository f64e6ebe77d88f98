// What this browser remembers of each port: how it is shown, and what was sent.

const PREFIX = "serial-ws ";

export class Memory {
  /** The name of the port, or undefined before it is known. @type {string | undefined} */
  port;
  /** @type {Record<string, any>} */
  #values = {};

  /** Takes what is remembered of a port. @param {string} port */
  open(port) {
    this.port = port;
    this.#values = {};
    try {
      const values = JSON.parse(localStorage.getItem(PREFIX + port) ?? "{}");
      if (values && typeof values === "object") this.#values = values;
    } catch {
      // The browser keeps nothing for this page, or it is damaged: begin anew.
    }
  }

  /**
   * Returns a value if it is of the same kind as `preset`, and `preset` otherwise.
   * @template T @param {string} name @param {T} preset @returns {T}
   */
  get(name, preset) {
    const value = this.#values[name];
    const isSame = typeof value === typeof preset && value !== null && Array.isArray(value) === Array.isArray(preset);
    return isSame ? value : preset;
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    if (this.port === undefined) return;
    this.#values[name] = value;
    try {
      localStorage.setItem(PREFIX + this.port, JSON.stringify(this.#values));
    } catch {
      // It is then forgotten with the page.
    }
  }
}
