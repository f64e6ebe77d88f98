// Shows which port this is and how it is, and what can be done with it.

/** States in which the page is not connected, so the state of the board is unknown. */
const DISCONNECTED = ["stopped", "refused", "blocked", "closed", "mistake", "connecting"];

/** Returns true if the page knows the state of the board. @param {string} state */
export const isConnected = (state) => !DISCONNECTED.includes(state);

/** The states in a word or two. */
const WORDS = {
  open: "open", waiting: "waiting for the board", lost: "lost", denied: "no permission", busy: "in use elsewhere", released: "released",
  connecting: "connecting", closed: "not connected", stopped: "serial-ws not found", blocked: "blocked", refused: "refused", mistake: "no such port",
};

/** @param {string} text */
const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1).replace(/[.]?$/, ".")}`;

export class State {
  /**
   * @param {typeof import("./elements.js").board} board
   * @param {typeof import("./elements.js").sending} sending
   */
  constructor(board, sending) {
    this.board = board;
    this.sending = sending;
  }

  /** @param {any} hello @param {string} url */
  showPort({ port: { name, board, path, settings }, ports }, url) {
    const place = [board, path === name ? undefined : path, `${settings.baud} baud`];
    const { portChoice, port, address } = this.board;
    this.board.board.textContent = [ports.length > 1 ? undefined : name, ...place].filter(Boolean).join(" · ");
    document.title = `${name} – serial-ws`;
    portChoice.hidden = ports.length < 2;
    port.replaceChildren(...ports.map((other) => new Option(other, other, false, other === name)));
    address.textContent = url.replace(/\/$/, "");
    const { ending } = this.sending;
    ending.disabled = settings.append !== "none";
    ending.title = settings.append === "none" ? "Line ending to add to each line" : `serial-ws adds the line ending (--append ${settings.append})`;
  }

  /** @param {any} status @param {any} hello undefined before the first connection */
  showStatus({ state, detail, hint, inputs }, hello) {
    const readOnly = Boolean(hello?.port.settings.readOnly);
    const { board, sending } = this;
    board.state.dataset.state = state;
    board.stateText.textContent = WORDS[state] ?? state;
    board.state.title = detail ?? "";
    const what = state === "open" || state === "connecting" ? "" : detail ?? "";
    board.detail.textContent = sentence(what);
    board.remedy.textContent = sentence(hint ?? "");
    board.first.hidden = state !== "mistake";
    board.notice.hidden = !what && !hint;
    // Only devices with modem lines have inputs, and can be reset.
    board.reset.hidden = !inputs;
    board.reset.disabled = state !== "open" || readOnly;
    board.release.hidden = state === "released";
    board.release.disabled = !hello || readOnly || !isConnected(state);
    board.resume.hidden = state !== "released";
    board.resume.disabled = readOnly;
    sending.text.disabled = readOnly;
    sending.text.placeholder = readOnly ? "Sending is disabled (--read-only)" : "Send to the board";
  }
}
