// The write lock: takes the board, gives it back, and says who has it.

import { capital, isConnected } from "./state.js";

/** The name by which others see a page that has the board. */
const NAME = "the serial-ws page";

/** Returns why a page may change nothing now, or "". @param {any} status @param {any} hello undefined before the first connection */
export function refusal({ writer }, hello) {
  if (hello?.port.settings.readOnly) return "this page may only read";
  return writer && writer.client !== hello?.client ? `client ${writer.client} has the board` : "";
}

export class Lock {
  /** True while this page wants to keep the board, also when it connects anew. */
  #isWanted = false;
  #hasBoard = false;
  #isAsking = false;
  /** The number of this page as a client, and the one of its connection before, which may still have the board. */
  #client = 0;
  #before = 0;

  /**
   * @param {typeof import("./elements.js").lock} elements
   * @param {object} acts
   * @param {(request: object) => Promise<unknown>} acts.request fails with the reason
   * @param {(error: Error) => void} acts.fail shows a reason
   * @param {(text: string) => void} acts.note
   * @param {import("./clients.js").Clients} clients
   */
  constructor(elements, acts, clients) {
    this.elements = elements;
    this.clients = clients;
    this.acts = acts;
    elements.take.addEventListener("click", () => {
      elements.menu.open = false;
      this.#take();
    });
    elements.giveBack.addEventListener("click", () => {
      this.#isWanted = false;
      acts.request({ type: "unlock" }).catch(acts.fail);
    });
    elements.end.addEventListener("click", () => acts.request({ type: "resume" }).catch(acts.fail));
  }

  /** True if this page has the board. */
  get hasBoard() {
    return this.#hasBoard;
  }

  /** Notes a connection, which is another client: `show` takes the board again if this page had it. @param {any} hello */
  connected({ client }) {
    this.#hasBoard = false;
    [this.#before, this.#client] = [this.#client, client];
  }

  async #take() {
    this.#isWanted = this.#isAsking = true;
    try {
      await this.acts.request({ type: "lock", name: NAME });
    } catch (error) {
      this.#isWanted = false;
      this.acts.fail(/** @type {Error} */ (error));
    }
    this.#isAsking = false;
  }

  /** @param {any} status @param {any} hello @param {string} refusal why this page may change nothing, or "" */
  show({ writer, state }, hello, refusal) {
    const { strip, text, giveBack, end, take } = this.elements;
    const hasBoard = Boolean(writer) && writer.client === hello?.client;
    if (isConnected(state)) {
      if (this.#hasBoard && !hasBoard && this.#isWanted) this.#lose();
      this.#hasBoard = hasBoard;
      if (this.#isWanted && !hasBoard && !this.#isAsking) {
        if (!writer) this.#take();
        else if (writer.client !== this.#before) this.#lose();
      }
    }
    strip.hidden = !writer;
    strip.classList.toggle("own", hasBoard);
    text.textContent = hasBoard ? "You have the board: nobody else can send or change anything." : writer ? `${capital(this.clients.describe(writer.client, writer.name))} has the board: nobody else can send or change anything.` : "";
    giveBack.hidden = !hasBoard;
    end.hidden = !writer || hasBoard || !this.clients.isOperator;
    take.disabled = Boolean(writer) || refusal !== "" || !hello;
    take.title = refusal;
  }

  /** The board was taken from this page: it was idle for long, or the operator has ended it. */
  #lose() {
    this.#isWanted = false;
    this.acts.note("you no longer have the board");
  }
}
