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

/** The TCP port at which the commands of serial-ws look for it. */
const COMMANDS_PORT = "8080";
/** What buttons do where they may. */
const RESET = "Restart the board, like its reset button", SEND = "Send each line to the board";
const RECONNECTS = "This page is not connected to serial-ws. It connects again by itself as soon as it can.";
/** What a state means, and what happens by itself. */
const MEANINGS = {
  open: "The device is open, and what it sends arrives here.",
  waiting: "serial-ws waits for the device, and opens it as soon as it is there.",
  lost: "The device has gone. serial-ws opens it again as soon as it is back; this page stays connected.",
  denied: "The system does not let serial-ws open the device. serial-ws keeps trying.",
  busy: "Another program has the device open. serial-ws keeps trying.",
  released: "The device is closed so that another program can use it. serial-ws takes it back by itself.",
  connecting: "This page is connecting to serial-ws.",
  closed: RECONNECTS, stopped: RECONNECTS, blocked: RECONNECTS,
  refused: "serial-ws does not let this page connect.",
  mistake: "The address of this page names a port that serial-ws does not have.",
  disconnected: "The operator of serial-ws disconnected this page. It does not connect again by itself.",
};

/** What every state means in a recording. */
const RECORDED = "This is a recording, and what it tells of its board.";

/** @param {string} text */
export const capital = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}`;
/** @param {string} text */
const sentence = (text) => text && capital(text.replace(/[.]?$/, "."));

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
    for (const device of this.board.devices) device.textContent = path ?? "PORT";
    const flags = (location.port && location.port !== COMMANDS_PORT ? ` --url http://localhost:${location.port}` : "") + (name === ports[0] ? "" : ` --port ${name}`);
    for (const flag of this.board.portFlags) flag.textContent = flags;
    const place = [board, path === name ? undefined : path].filter(Boolean).join(" · ");
    const parts = [ports.length > 1 ? undefined : part("own", name), place ? part("place", place) : undefined];
    this.board.board.replaceChildren(...parts.filter((it) => it !== undefined));
    this.board.board.title = this.board.board.textContent ?? "";
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

  /**
   * @param {any} status @param {any} hello undefined before the first connection
   * @param {string} refusal why this page may change nothing, or ""
   */
  showStatus({ state, detail, hint, inputs, playback }, hello, refusal) {
    const isRefused = refusal !== "";
    const { board, sending } = this;
    board.state.dataset.state = state;
    board.stateText.textContent = WORDS[state] ?? state;
    const meaning = playback && state !== "released" ? RECORDED : MEANINGS[state];
    board.state.title = meaning ?? detail ?? "";
    board.meaning.textContent = state === "open" ? "" : meaning ?? "";
    board.steps.hidden = state !== "waiting";
    if (state === "waiting") this.#offerSimulated();
    const what = state === "open" || state === "connecting" ? "" : detail ?? "";
    board.detail.textContent = sentence(what);
    board.remedy.textContent = sentence(hint ?? "");
    board.first.hidden = state !== "mistake";
    board.notice.hidden = !what && !hint;
    // Only devices with modem lines have inputs, and can be reset.
    board.reset.hidden = !inputs;
    board.reset.disabled = state !== "open" || isRefused;
    board.reset.title = refusal || RESET;
    board.lend.hidden = state === "released" || Boolean(hello?.port.settings.readOnly) || !hello || !isConnected(state);
    if (board.lend.hidden) board.lend.open = false;
    board.release.disabled = board.releaseLong.disabled = board.lend.hidden || isRefused;
    board.release.title = board.releaseLong.title = refusal;
    board.resume.hidden = state !== "released";
    board.resume.disabled = isRefused;
    sending.text.disabled = sending.button.disabled = isRefused;
    sending.button.title = refusal || SEND;
    sending.text.placeholder = isRefused ? `Sending is disabled: ${refusal}` : "Send to the board";
  }
}

/** Makes a part of the name of a board. @param {string} kind @param {string} text */
function part(kind, text) {
  const element = document.createElement("span");
  element.className = kind;
  element.textContent = text;
  return element;
}
