// The connection to a port, and a second one for the values of lines where the first has bytes.

import "../serial-ws.js";

/** The address of serial-ws, which may be behind a proxy that adds a prefix to its paths. */
const HOME = new URL("..", import.meta.url);

/** Lines from the history to begin with: all that serial-ws keeps. With bytes, fewer than the log keeps. */
const HISTORY_LINES = 1e6, HISTORY_BYTES = 1 << 16;

/**
 * @typedef {object} Handlers
 * @property {(hello: any) => void} open
 * @property {(status: any) => void} status
 * @property {(missed: {lines?: number, bytes?: number}) => void} missed
 * @property {(text: string, line: any) => void} line
 * @property {(bytes: Uint8Array, chunk: any) => void} data
 * @property {(values: any, line: any) => void} values
 * @property {(bytes: Uint8Array, written: any) => void} written
 * @property {() => void} gap data is missing from the values alone
 */

export class Connection {
  /** Brings lines or bytes. @type {any} */
  #main;
  /** Brings the values of lines while the main one brings bytes. @type {any} */
  #values;
  /** The options of both, which they look at whenever they connect. @type {any[]} */
  #options = [];

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
  }

  /** Connects to a port or a device. @param {{port?: string, device?: string, view: string, latest?: string}} choice */
  connect({ port, device, view, latest }) {
    const { open, status, missed, line, data, values, written, gap } = this.handlers;
    this.#close();
    const place = device ? `devices/${encodeURIComponent(device)}` : port ? `ports/${encodeURIComponent(port)}` : "";
    const address = new URL(place, HOME).href.replace("http", "ws");
    const common = { latest };
    const options = view === "lines"
      ? { ...common, history: HISTORY_LINES, values: true }
      : { ...common, history: HISTORY_BYTES, data: "chunks" };
    const beside = { ...common, history: HISTORY_LINES };
    this.#options = [options, beside];
    this.#main = new SerialWs(address, options).on("open", open).on("status", status).on("missed", missed)
      .on("line", line).on("values", values).on("data", data).on("written", written);
    this.#values = view === "text" ? new SerialWs(address, beside).on("values", values).on("missed", gap) : undefined;
    status(this.#main.status);
  }

  /** Receives only the newest, so many times a second, or everything. @param {string | undefined} latest */
  thin(latest) {
    for (const options of this.#options) options.latest = latest;
    this.#close();
    // The same connections resume where they were.
    this.#main.on("status", this.handlers.status).open();
    this.#values?.open();
  }

  /** Closes both. It needs no status. */
  #close() {
    this.#main?.off("status", this.handlers.status).close();
    this.#values?.close();
  }

  /** The connection for requests. */
  get serial() {
    return this.#main;
  }

  get hello() {
    return this.#main.hello;
  }

  get isOpen() {
    return this.#main.status.state === "open";
  }
}
