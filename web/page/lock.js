// The write lock: takes the board, gives it back, and says who has it.

import { capital, isConnected } from "./state.js";

/** The name by which others see a page that has the board. */
const NAME = "the serial-ws page";

/** The number of the operator, who alone may write (`--lock operator`) while no client was given the board. */
const OPERATOR = 0;

/**
 * Returns why a page may change nothing now, or "".
 * @param {any} status @param {any} hello undefined before the first connection
 * @param {boolean} isOperator true for a page of the operator
 */
export function refusal({ writer }, hello, isOperator) {
  if (hello?.port.settings.readOnly) return "this page may only read";
  if (!writer || writer.client === hello?.client) return "";
  if (writer.client !== OPERATOR) return `client ${writer.client} has the board`;
  return isOperator ? "" : "only the operator may send";
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
        if (!writer || writer.client === OPERATOR) this.#take();
        else if (writer.client !== this.#before) this.#lose();
      }
    }
    const isOperators = writer?.client === OPERATOR;
    this.clients.setWriter(writer?.client);
    strip.hidden = !writer;
    strip.classList.toggle("own", hasBoard);
    text.textContent = this.#sentence(writer, hasBoard);
    giveBack.hidden = !hasBoard;
    end.hidden = !writer || hasBoard || isOperators || !this.clients.isOperator;
    take.disabled = Boolean(writer && !isOperators) || refusal !== "" || !hello;
    take.title = refusal;
  }

  /** Says who may write. @param {any} writer @param {boolean} hasBoard */
  #sentence(writer, hasBoard) {
    if (!writer) return "";
    if (hasBoard) return "You have the board: nobody else can send or change anything.";
    if (writer.client !== OPERATOR) return `${capital(this.clients.describe(writer.client, writer.name))} has the board: nobody else can send or change anything.`;
    return this.clients.isOperator
      ? "Only you can send or change anything. To let somebody else: “Give the lock” in the list of clients, under Share."
      : "Only the operator of serial-ws can send or change anything. Ask for the lock at that computer.";
  }

  /** The board was taken from this page: it was idle for long, or the operator has ended it. */
  #lose() {
    this.#isWanted = false;
    this.acts.note("you no longer have the board");
  }
}
