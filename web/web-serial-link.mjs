// The part of web-serial.js that talks to serial-ws: what there is to open, and the connection to a port.

/** Milliseconds for which opening waits for the device. */
const OPEN_TIMEOUT = 5000;
/** Milliseconds to wait for a status that tells more than a reply did. */
const STATUS_TIMEOUT = 300;
/** The shortest and the longest delay before the list is asked for again, in milliseconds. */
const MIN_DELAY = 500, MAX_DELAY = 10000;
/** The close code for a client that the operator disconnected. It comes back when its page is loaded again. */
const DISCONNECTED = 4410;
/** Characters of the name that others see while a page has the write lock. */
const MAX_NAME = 64;
/** States of a port that opening need not wait for. */
const SETTLED = ["open", "busy", "denied", "released"];
/** Errors that a driver counts, by their name in Web Serial. */
const LINE_ERRORS = { overrun: "BufferOverrunError", parity: "ParityError", framing: "FramingError" };

/**
 * What a page may choose.
 * @typedef {object} Entry
 * @property {string} key - the ID of a device, or the address of a port of serial-ws
 * @property {string} path - where it is opened
 * @property {string} label - its name, for people
 * @property {string} detail - what else there is to say
 * @property {{ usbVendorId: number, usbProductId: number } | undefined} usb
 * @property {boolean} isOffered - true if this page may open it
 * @property {boolean} [asks] - true if the operator of serial-ws is asked first
 */

/** A running serial-ws. */
export class Server {
  #root;
  #token;
  #delay = MIN_DELAY;
  /** The number of the newest list: the answer to an older one is out of date. */
  #turn = 0;

  /** @param {URL} root @param {string | null} token */
  constructor(root, token) {
    this.#root = root;
    this.#token = token;
  }

  /**
   * Follows what there is to open: calls the listener now and after each change, with the entries by key; with none and
   * the reason while serial-ws cannot be reached.
   * @param {(entries: Map<string, Entry> | undefined, problem: string) => void} listener
   */
  watch(listener) {
    const again = () => {
      setTimeout(() => this.watch(listener), this.#delay);
      this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
    };
    let socket;
    try {
      socket = this.socket("devices");
    } catch (error) {
      // For example, a page from https: may not open ws: at all.
      listener(undefined, `The browser does not allow this connection: ${error.message}`);
      return again();
    }
    socket.onmessage = async ({ data }) => {
      this.#delay = MIN_DELAY;
      const turn = ++this.#turn;
      const { devices } = JSON.parse(data);
      // The devices change, and so do the ports that have them.
      const ports = await fetch(this.#address("api/ports")).then((answer) => answer.json()).catch(() => []);
      if (turn === this.#turn) listener(entriesOf(devices, ports), "");
    };
    socket.onclose = async ({ code, reason }) => {
      const turn = ++this.#turn;
      const problem = reason || await this.whyNot();
      if (turn === this.#turn) listener(undefined, problem);
      if (code !== DISCONNECTED) again();
    };
  }

  /** Begins a WebSocket. */
  socket(path, query) {
    const url = this.#address(path, query);
    url.protocol = url.protocol.replace("http", "ws");
    return new WebSocket(url.href);
  }

  /** Returns why serial-ws cannot be reached, as far as the browser lets a page know. */
  async whyNot() {
    try {
      const hello = await (await fetch(this.#address("hello"), { signal: AbortSignal.timeout(3000) })).json();
      if (hello.allowed) return "The connection to serial-ws was lost.";
      return ["serial-ws does not allow this page", hello.remedy].filter(Boolean).join("; ");
    } catch {
      return `serial-ws does not answer at ${this.#root.host}. Is it running? If so, the browser may be blocking it.`;
    }
  }

  #address(path, query = {}) {
    const url = new URL(path.replace(/^\//, ""), this.#root);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (this.#token) url.searchParams.set("token", this.#token);
    return url;
  }
}

/** A connection to a port of serial-ws, by the json protocol. */
export class Link {
  #socket;
  #pending = new Map();
  #lastId = 0;
  #waiting = new Set();
  /** What serial-ws told last of the port. */
  status;
  /** The settings of the line in force. */
  settings = {};
  /** Those before this page took the write lock, while it has it. */
  before;
  onData = () => {};
  onError = () => {};
  /** Called with the reason when the device is gone; the link has ended then if `isOver`. */
  onLost = (reason, isOver) => {};
  /** Called when the device is back. */
  onBack = () => {};

  /**
   * Connects to a port, and waits until it is open.
   * @param {Server} server
   * @param {Pick<Entry, "key" | "path">} entry
   * @param {object} line - the settings of the line
   */
  static async open(server, { key, path = pathOf(key) }, line) {
    const link = new Link();
    const socket = link.#socket = server.socket(path, { view: "json", data: "chunks", ...line });
    const closed = new Promise((resolve) => { socket.onclose = resolve; });
    socket.onmessage = ({ data }) => link.#read(JSON.parse(data));
    const close = await Promise.race([closed, link.#until(({ state }) => SETTLED.includes(state), OPEN_TIMEOUT)]);
    if (close) throw Object.assign(new Error(close.reason || await server.whyNot()), { code: close.code });
    const { status = { detail: `serial-ws does not answer within ${OPEN_TIMEOUT / 1000} s` } } = link;
    if (status.state !== "open") {
      link.close();
      throw new Error([status.detail, status.hint].filter(Boolean).join(". "));
    }
    socket.onclose = ({ reason }) => link.#end(reason || "The connection to serial-ws was lost.", true);
    return link;
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN && this.status.state === "open";
  }

  /** Sends a request, and waits for its reply. */
  request(object) {
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("the connection to serial-ws was lost");
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ ...object, id }));
    });
  }

  /** Keeps others from changing the board. Its settings and lines return when the lock ends, however that is. */
  async lock() {
    const before = { ...this.settings };
    const title = document.title.replace(/\p{C}/gu, "").trim() || location.host || "a page";
    await this.request({ type: "lock", name: [...title].slice(0, MAX_NAME).join(""), restore: true });
    this.before ??= before;
  }

  async unlock() {
    this.before = undefined;
    await this.request({ type: "unlock" });
  }

  /** Changes the settings under the write lock, and ends the lock where they are those before it. */
  async change(settings) {
    await this.lock();
    await this.request({ type: "settings", ...settings });
    Object.assign(this.settings, settings);
    const { before } = this;
    if (Object.keys(settings).every((name) => before[name] === settings[name])) await this.unlock();
  }

  /** Returns the modem's inputs, once they are known. */
  async inputs() {
    await this.#until(({ inputs }) => inputs, STATUS_TIMEOUT);
    return this.status.inputs;
  }

  /** Returns true if the device is gone. A status may follow the reply that failed. */
  async isLost() {
    await this.#until(({ state }) => state !== "open", STATUS_TIMEOUT);
    return this.status.state !== "open";
  }

  close() {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#reject("the port was closed");
  }

  #read(message) {
    const { type, id } = message;
    if (type === "data") this.onData(decode(message.bytes));
    else if (type === "missed") this.onError("BufferOverrunError", `${message.bytes ?? "some"} bytes are missing here`);
    else if (type === "hello") this.#readStatus(message.status, message.port.settings);
    else if (type === "status") this.#readStatus(message, message.settings);
    else if (type === "ack" || type === "error") {
      const request = this.#pending.get(id);
      this.#pending.delete(id);
      if (type === "ack") request?.resolve(message);
      else request?.reject(new Error(message.error));
    }
  }

  #readStatus(status, settings) {
    const before = this.status;
    this.status = status;
    Object.assign(this.settings, settings);
    for (const waiting of this.#waiting) waiting();
    const counted = Object.keys(LINE_ERRORS);
    const grown = counted.find((kind) => before && (status.errors?.[kind] ?? 0) > (before.errors?.[kind] ?? 0));
    if (grown) this.onError(LINE_ERRORS[grown], `the driver counted ${status.errors[grown]} errors (${grown})`);
    const [was, is] = [before, status].map((status) => status?.state === "open");
    if (was && !is) this.#end([status.detail, status.hint].filter(Boolean).join(". "), false);
    if (before && !was && is) this.onBack();
  }

  #end(reason, isOver) {
    this.onLost(reason, isOver);
    this.#reject(reason);
    // Nobody should wait for a page that waits for its board.
    if (this.before && !isOver) this.unlock().catch(() => {});
  }

  #reject(reason) {
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
  }

  /** Waits until `fits` is true of the status, or for a time. */
  async #until(fits, time) {
    let check;
    const fitting = new Promise((resolve) => {
      check = () => { if (this.status && fits(this.status)) resolve(); };
    });
    this.#waiting.add(check);
    check();
    await Promise.race([fitting, delay(time)]);
    this.#waiting.delete(check);
  }
}

/** Returns what can be chosen, by key: the devices of serial-ws, and its ports that are no device of the list. */
export function entriesOf(devices, ports) {
  const entries = new Map();
  const add = (entry) => entries.set(entry.key, entry);
  for (const { id, path, at, usb, board, offered, asks, hint, detail, port } of devices) {
    const isOfPort = at?.startsWith("/ports/");
    const label = board ?? usb?.product ?? (isOfPort ? port : path);
    const details = [path, detail, hint, asks && "the operator of serial-ws will be asked"];
    add({
      key: isOfPort ? at : id,
      path: offered || !port ? pathOf(isOfPort ? at : id) : `/ports/${port}`,
      label,
      detail: details.filter((it) => it && it !== label).join(" · "),
      usb: usb && { usbVendorId: usb.vid, usbProductId: usb.pid },
      isOffered: offered || Boolean(port),
      asks,
    });
  }
  const listed = new Set(devices.map(({ port }) => port));
  for (const { name, at, path, board, usb, status } of ports) {
    if (listed.has(name) || ["waiting", "lost"].includes(status.state)) continue;
    const [, vid, pid] = /^usb:(\w{4}):(\w{4})/.exec(usb) ?? [];
    const ids = vid && { usbVendorId: parseInt(vid, 16), usbProductId: parseInt(pid, 16) };
    const label = board ?? name;
    add({ key: at, path: at, label, detail: path === label ? "" : path, usb: ids, isOffered: true });
  }
  return entries;
}

function pathOf(key) {
  return key.startsWith("/ports/") ? key : `/devices/${encodeURIComponent(key)}`;
}

function delay(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}

function decode(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
