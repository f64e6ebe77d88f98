// Texts that were sent, as a menu, and commands that people keep, as buttons.

import { visible } from "./format.js";

/** Commands that are kept; the oldest is dropped. Texts that were sent, in the menu. */
const MAX_COMMANDS = 24, MAX_IN_MENU = 20;

export class Commands {
  /** @type {string[]} */
  #kept = [];
  /** Why this page may send nothing, or "". */
  #refusal = "";

  /**
   * @param {typeof import("./elements.js").sending} elements
   * @param {import("./memory.js").Memory} memory
   * @param {import("./sendbox.js").SendBox} box
   */
  constructor(elements, memory, box) {
    this.elements = elements;
    this.memory = memory;
    this.box = box;
    elements.sent.addEventListener("toggle", () => this.#fillMenu());
    box.onSent = () => memory.set("sent", box.sent);
  }

  /** Takes what is remembered of a port. */
  load() {
    const texts = (/** @type {unknown[]} */ list) => list.filter((text) => typeof text === "string");
    this.#kept = texts(this.memory.get("commands", [])).slice(-MAX_COMMANDS);
    this.box.sent = texts(this.memory.get("sent", []));
    this.#fillBar();
  }

  /** Lets the buttons send, or says why not. @param {string} refusal why not, or "" */
  allow(refusal) {
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#fillBar();
  }

  /** Keeps a command as a button, or no longer. @param {string} text */
  #toggle(text) {
    const isKept = this.#kept.includes(text);
    this.#kept = isKept ? this.#kept.filter((kept) => kept !== text) : [...this.#kept, text].slice(-MAX_COMMANDS);
    this.memory.set("commands", this.#kept);
    this.#fillBar();
    this.#fillMenu();
  }

  #fillBar() {
    const { commands } = this.elements;
    commands.hidden = this.#kept.length === 0;
    commands.replaceChildren(...this.#kept.map((command) => {
      const button = make("command", oneLine(command), this.#refusal || `Send ${oneLine(command)}`);
      button.disabled = this.#refusal !== "";
      button.addEventListener("click", () => this.box.submit(command));
      return button;
    }));
  }

  #fillMenu() {
    const { sentList, sentEmpty, sent, text: box } = this.elements;
    const recent = this.box.sent.slice(-MAX_IN_MENU).reverse();
    const texts = [...this.#kept, ...recent.filter((text) => !this.#kept.includes(text))];
    sentEmpty.hidden = texts.length > 0;
    sentList.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      const take = make("take", oneLine(text), "Put into the box, to be changed or sent");
      take.addEventListener("click", () => {
        sent.open = false;
        this.box.set(text);
        box.focus();
      });
      const isKept = this.#kept.includes(text);
      const keep = make("keep", isKept ? "★" : "☆", isKept ? "Remove the button" : "Keep as a button");
      keep.setAttribute("aria-label", `${keep.title}: ${oneLine(text)}`);
      keep.setAttribute("aria-pressed", String(isKept));
      keep.addEventListener("click", () => this.#toggle(text));
      item.append(take, keep);
      return item;
    }));
  }
}

/** @param {string} text */
function oneLine(text) {
  const line = visible(text.replaceAll("\n", " ⏎ "));
  return line.length > 40 ? `${line.slice(0, 39)}…` : line;
}

/** @param {string} kind @param {string} text @param {string} title */
function make(kind, text, title) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = kind;
  button.textContent = text;
  button.title = title;
  return button;
}
