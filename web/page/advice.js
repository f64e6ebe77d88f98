// Offers the view that would help as a button.

/** The views of this page by those of serial-ws. */
const VIEWS = { raw: "hex", text: "text", lines: "lines" };

export class Advice {
  /** The view that the button chooses. */
  #view = "";

  /** @param {HTMLButtonElement} button @param {(view: string) => void} chooseView */
  constructor(button, chooseView) {
    this.button = button;
    button.addEventListener("click", () => {
      button.hidden = true;
      chooseView(this.#view);
    });
  }

  /** @param {{view?: string} | undefined} advice of serial-ws @param {string} shown the view of this page */
  show(advice, shown) {
    this.#view = VIEWS[advice?.view ?? ""] ?? "";
    this.button.hidden = this.#view === "" || this.#view === shown;
    this.button.textContent = `Show as ${this.#view}`;
  }
}
