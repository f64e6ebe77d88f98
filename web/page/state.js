// Shows which port this is and how it is, and what can be done with it.

/** States in which the page is not connected, so the state of the board is unknown. */
const DISCONNECTED = ["stopped", "refused", "blocked", "closed", "mistake", "disconnected", "connecting"];

/** Returns true if the page knows the state of the board. @param {string} state */
export const isConnected = (state) => !DISCONNECTED.includes(state);

/** The states in a word or two. */
const WORDS = {
  open: "open", waiting: "waiting for the board", lost: "lost", denied: "no permission", busy: "in use elsewhere", released: "released",
  connecting: "connecting", closed: "not connected", stopped: "serial-ws not found", blocked: "blocked", refused: "refused", mistake: "no such port",
  disconnected: "disconnected",
};

const RECONNECTS = "This page is not connected to serial-ws. It connects again by itself as soon as it can.";
/** What a state means, and what happens by itself. */
const MEANINGS = {
  open: "The device is open, and what it sends arrives here.",
  waiting: "serial-ws waits for the device, and opens it as soon as it is there.",
  lost: "The device was there and has gone. serial-ws opens it again as soon as it is back; this page stays connected.",
  denied: "The system does not let serial-ws open the device. serial-ws keeps trying.",
  busy: "Another program has the device open. serial-ws keeps trying.",
  released: "The device is closed so that another program can use it. serial-ws takes it back by itself.",
  connecting: "This page is connecting to serial-ws.",
  closed: RECONNECTS, stopped: RECONNECTS, blocked: RECONNECTS,
  refused: "serial-ws does not let this page connect.",
  mistake: "The address of this page names a port that serial-ws does not have.",
  disconnected: "The operator of serial-ws disconnected this page. It does not connect again by itself.",
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
    /** Where the board is, without its rate. @type {(string | undefined)[]} */
    this.place = [];
  }

  /** @param {any} hello @param {string} url */
  showPort({ port: { name, board, path, settings }, ports }, url) {
    for (const device of this.board.devices) device.textContent = path ?? "PORT";
    for (const flag of this.board.portFlags) flag.textContent = name === ports[0] ? "" : ` --port ${name}`;
    this.place = [ports.length > 1 ? undefined : name, board, path === name ? undefined : path];
    const { address } = this.board;
    document.title = `${name} – serial-ws`;
    address.textContent = url.replace(/\/$/, "");
    const { ending } = this.sending;
    ending.disabled = settings.append !== "none";
    ending.title = settings.append === "none" ? "Line ending to add to each line" : `serial-ws adds the line ending (--append ${settings.append})`;
  }

  /** Leads to a simulated board, if serial-ws has one. */
  async #offerSimulated() {
    const { noBoard, simChoice, simLink } = this.board;
    try {
      const ports = await (await fetch(new URL("../api/ports", import.meta.url), { signal: AbortSignal.timeout(3000) })).json();
      const simulated = ports.find((/** @type {any} */ port) => /^sim\b/.test(port.path ?? ""));
      noBoard.hidden = Boolean(simulated);
      simChoice.hidden = !simulated;
      if (simulated) simLink.search = new URLSearchParams({ port: simulated.name }).toString();
    } catch {
      // The command that starts one is shown.
    }
  }

  /** @param {any} status @param {any} hello undefined before the first connection */
  showStatus({ state, detail, hint, inputs, settings }, hello) {
    const readOnly = Boolean(hello?.port.settings.readOnly);
    const { board, sending } = this;
    board.board.textContent = [...this.place, settings && `${settings.baud} baud`].filter(Boolean).join(" · ");
    board.state.dataset.state = state;
    board.stateText.textContent = WORDS[state] ?? state;
    board.state.title = MEANINGS[state] ?? detail ?? "";
    board.meaning.textContent = state === "open" ? "" : MEANINGS[state] ?? "";
    board.steps.hidden = state !== "waiting";
    if (state === "waiting") this.#offerSimulated();
    const what = state === "open" || state === "connecting" ? "" : detail ?? "";
    board.detail.textContent = sentence(what);
    board.remedy.textContent = sentence(hint ?? "");
    board.first.hidden = state !== "mistake";
    board.notice.hidden = !what && !hint;
    // Only devices with modem lines have inputs, and can be reset.
    board.reset.hidden = !inputs;
    board.reset.disabled = state !== "open" || readOnly;
    board.lend.hidden = state === "released" || readOnly || !hello || !isConnected(state);
    if (board.lend.hidden) board.lend.open = false;
    board.release.disabled = board.releaseLong.disabled = board.lend.hidden;
    board.resume.hidden = state !== "released";
    board.resume.disabled = readOnly;
    sending.text.disabled = readOnly;
    sending.text.placeholder = readOnly ? "Sending is disabled (--read-only)" : "Send to the board";
  }
}
