// The outputs of the port: what else gets what the board sends, and whether it arrives.

import { size } from "./recording.js";

/** Milliseconds between two looks at the numbers while they are shown. */
const NUMBERS_INTERVAL = 1000;
const PORTS = new URL("../api/ports", import.meta.url);
/** The kinds in a word that people know. */
const NAMES = { mqtt: "MQTT", osc: "OSC", tcp: "TCP", rfc2217: "RFC 2217", pty: "Pseudo-terminal", record: "Recording", save: "Lines in" };
/** The states in a word. */
const WORDS = { open: "works", waiting: "does not work", off: "off" };

/** @typedef {NonNullable<import("../serial-ws").Status["outputs"]>[number]} Output */

export class Outputs {
  #port = "";

  /** @param {typeof import("./elements.js").outputs} elements */
  constructor(elements) {
    this.elements = elements;
    /** What the menu is for, while every output works. */
    this.title = elements.button.title;
    setInterval(() => this.#look(), NUMBERS_INTERVAL);
    elements.menu.addEventListener("toggle", () => this.#look());
  }

  /** @param {any} status @param {any} hello undefined before the first connection */
  show({ outputs = [] }, hello) {
    const { box, menu, button } = this.elements;
    this.#port = hello?.port.name ?? "";
    box.hidden = outputs.length === 0;
    const problems = outputs.filter((/** @type {Output} */ { state }) => state === "waiting");
    menu.classList.toggle("trouble", problems.length > 0);
    button.title = problems.length > 0
      ? `${problems.map(name).join(", ")}: ${problems[0].problem ?? "does not work"}`
      : this.title;
    this.#fill(outputs);
  }

  /** @param {Output[]} outputs */
  #fill(outputs) {
    this.elements.list.replaceChildren(...outputs.map(item));
  }

  /** Shows the numbers of now. */
  async #look() {
    const { menu, box } = this.elements;
    if (!menu.open || box.hidden || document.hidden) return;
    try {
      const ports = await (await fetch(PORTS)).json();
      const port = ports.find((/** @type {any} */ { name }) => name === this.#port);
      if (port) this.#fill(port.status.outputs ?? []);
    } catch {
      // The status tells what became of the connection.
    }
  }
}

/** @param {Output} output */
function name({ kind, at }) {
  return [NAMES[kind] ?? kind, at].filter(Boolean).join(" ");
}

/** @param {Output} output */
function item(output) {
  const { state, problem, clients, sent, missed, reconnects } = output;
  const row = document.createElement("li");
  row.dataset.state = state;
  const title = document.createElement("strong");
  title.textContent = name(output);
  const about = document.createElement("span");
  about.textContent = [
    [WORDS[state] ?? state, problem].filter(Boolean).join(": "),
    clients === undefined ? undefined : `${clients} connected`,
    `${size(sent)} sent`,
    missed ? `${size(missed)} missed` : undefined,
    reconnects ? `reconnected ${reconnects}×` : undefined,
  ].filter(Boolean).join(" · ");
  row.append(title, about);
  return row;
}
