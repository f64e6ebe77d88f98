// The client library of serial-ws: a port of the bridge that comes back by itself.
// For a plain <script>, which gets the class SerialWs; bundlers import serial-ws.mjs.
(() => {
  /** Close codes of mistakes in the address, which do not go away by trying again. */
  const MISTAKES = [4400, 4404];
  /** The first and the longest time between two attempts, in milliseconds. */
  const SOONEST = 500, LATEST = 10000;
  /** How long an attempt may take before its reason is looked for: a browser may be asking its user. */
  const PATIENCE = 4000;

  class SerialWs {
    /** Where this file came from is where the bridge is, unless a copy of it is served by somebody else. */
    static source = globalThis.document?.currentScript?.src ?? globalThis.location?.href;

    #options;
    #socket;
    #handlers = new Map();
    #waiting = new Map();
    #lastId = 0;
    #place;
    #delay = SOONEST;
    #timers = [];
    #wanted;
    #greeted = false;

    /** What the bridge said of itself and the port on connecting, or undefined. */
    hello;
    /** The last whole line, or undefined. */
    last;
    /** How things stand: `state` is a word for programs, `detail` and `hint` are for people. */
    status = { state: "connecting", detail: "connecting to serial-ws" };

    constructor(url, options = {}) {
      if (url && typeof url === "object") [url, options] = [undefined, url];
      this.#options = options;
      this.url = address(url ?? "/", options);
      this.open();
    }

    /** Whether lines can come now: connected to the bridge, and the bridge to the board. */
    get opened() {
      return this.status.state === "open";
    }

    /** Calls `handler` whenever `event` happens. */
    on(event, handler) {
      if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
      this.#handlers.get(event).add(handler);
      return this;
    }

    off(event, handler) {
      this.#handlers.get(event)?.delete(handler);
      return this;
    }

    /** Sends text; the promise is kept when the system has taken the last byte. */
    send(text) {
      return this.ask({ type: "write", text: String(text) });
    }

    /** Sends bytes exactly: a number as one byte, several of them, any view or an ArrayBuffer; or text. */
    write(bytes) {
      if (typeof bytes === "string") return this.send(bytes);
      const list = typeof bytes === "number" ? [bytes] : bytes;
      const { buffer = list, byteOffset, byteLength } = list;
      let binary = "";
      for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) binary += String.fromCharCode(byte);
      return this.ask({ type: "write", bytes: btoa(binary) });
    }

    reset() {
      return this.ask({ type: "reset" });
    }

    release(seconds = 60) {
      return this.ask({ type: "release", seconds });
    }

    resume() {
      return this.ask({ type: "resume" });
    }

    signals(lines) {
      return this.ask({ type: "signals", ...lines });
    }

    /** Sends any object of the protocol, and promises its answer. */
    ask(object) {
      const promise = new Promise((resolve, reject) => {
        if (this.#socket?.readyState !== 1) throw new Error(`not sent: ${this.status.detail}`);
        const id = ++this.#lastId;
        this.#waiting.set(id, { resolve, reject });
        this.#socket.send(JSON.stringify({ ...object, id }));
      });
      // Also for who does not look at the promise, which would be an uncaught error.
      promise.catch((error) => this.#emit("error", error));
      return promise;
    }

    /** Connects again after close(). */
    open() {
      this.#wanted = true;
      globalThis.addEventListener?.("online", this.#hurry);
      globalThis.document?.addEventListener("visibilitychange", this.#hurry);
      // A microtask later, so that handlers which are added now miss nothing.
      queueMicrotask(() => this.#wanted && !this.#socket && this.#connect());
    }

    close() {
      this.#wanted = false;
      globalThis.removeEventListener?.("online", this.#hurry);
      globalThis.document?.removeEventListener("visibilitychange", this.#hurry);
      this.#rest();
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.close(1000);
      this.#lose("the connection was closed by this page");
      this.#say({ state: "closed", detail: "closed by this page" });
      if (socket) this.#emit("close", { code: 1000, reason: "" });
    }

    #connect() {
      this.#rest();
      const url = new URL(this.url);
      for (const [name, value] of Object.entries(this.#query())) url.searchParams.set(name, value);
      const Socket = this.#options.WebSocket ?? WebSocket;
      let socket;
      try {
        socket = new Socket(url.href);
      } catch (error) {
        // As when a page from https may not open ws at all.
        this.#say({ state: "blocked", detail: `the browser does not permit this: ${error.message}` });
        return this.#again();
      }
      this.#socket = socket;
      this.#after(PATIENCE, () => this.#explain(socket));
      socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
      socket.onclose = (event) => socket === this.#socket && this.#closed(event);
      // Some browsers give only this one when they block.
      socket.onerror = () => this.#after(1000, () => {
        if (socket === this.#socket && socket.readyState !== 1) this.#closed({ code: 1006, reason: "" });
      });
    }

    #query() {
      const { history, latest, append, data, token } = this.#options;
      const query = { view: "json" };
      if (latest) query.latest = latest;
      if (append) query.append = append;
      if (data) query.data = data;
      if (token) query.token = token;
      if (this.#place) query.since = this.#place;
      else if (history) query.history = history;
      return query;
    }

    #receive(message) {
      const { type, id } = message;
      if (type === "hello") {
        this.#rest();
        this.#delay = SOONEST;
        this.#greeted = true;
        this.hello = message;
        this.#keep(this.#options.data ? message.offset : message.seq);
        this.#emit("open", message);
        this.#say(message.status);
      } else if (type === "line") {
        this.#keep(message.seq);
        const text = message.text ?? new TextDecoder().decode(decode(message.bytes));
        if (!message.partial) this.last = text;
        this.#emit("line", text, message);
        if (this.#handlers.get("json")?.size) this.#parse(text, message);
      } else if (type === "data") {
        const bytes = decode(message.bytes);
        this.#keep(message.offset + bytes.length);
        this.#emit("data", bytes, message);
      } else if (type === "status") {
        this.#say(message);
      } else if (type === "missed") {
        this.#emit("missed", message);
      } else if (type === "ack" || type === "error") {
        const answer = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (type === "ack") answer?.resolve(message);
        else if (answer) answer.reject(new Error(message.error));
        else this.#emit("error", new Error(message.error));
      }
    }

    #parse(text, message) {
      let value;
      try {
        value = JSON.parse(text);
      } catch {
        return;
      }
      this.#emit("json", value, message);
    }

    #keep(place) {
      this.#place = `${this.hello.run}:${place}`;
    }

    #closed(event) {
      const { code, reason } = event;
      const socket = this.#socket;
      this.#socket = undefined;
      this.#rest();
      this.#lose("the connection was lost: whether it was written, nobody knows");
      if (MISTAKES.includes(code)) {
        this.#wanted = false;
        this.#say({ state: "mistake", detail: reason });
      } else if (reason || this.#greeted) {
        this.#say({ state: "closed", detail: reason || "the connection to serial-ws was lost", hint: "Trying again" });
      }
      this.#greeted = false;
      this.#emit("close", { code, reason });
      if (!reason) this.#explain(socket);
      this.#again();
    }

    /** Finds out why there is no connection, as far as a browser lets a page know. */
    async #explain(socket) {
      const said = await diagnose(this.url);
      // Not if it was closed or opened in the meantime.
      if (!this.#wanted || this.hello && this.#socket?.readyState === 1) return;
      if (this.#socket && this.#socket !== socket) return;
      this.#say(said);
    }

    #again() {
      if (!this.#wanted) return;
      // A bit of chance, so that thirty pages do not come back at the same moment.
      this.#after(this.#delay * (0.75 + Math.random() / 2), () => this.#connect());
      this.#delay = Math.min(this.#delay * 2, LATEST);
    }

    /** Tries again at once, because somebody looks at the page. */
    #hurry = () => {
      if (this.#wanted && !this.#socket && !globalThis.document?.hidden) {
        this.#delay = SOONEST;
        this.#connect();
      }
    };

    #lose(reason) {
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      this.#waiting.clear();
    }

    #say({ state, detail, hint }) {
      const { status } = this;
      this.status = { state, detail, hint };
      if (status.state === state && status.detail === detail && status.hint === hint) return;
      this.#emit("status", this.status);
    }

    #emit(event, ...values) {
      for (const handler of this.#handlers.get(event) ?? []) handler.apply(this, values);
    }

    #after(time, call) {
      this.#timers.push(setTimeout(call, time));
    }

    #rest() {
      this.#timers.forEach(clearTimeout);
      this.#timers = [];
    }
  }

  /** The address of a port: what was given, or where this file or the page came from, or this computer. */
  function address(url, { port }) {
    const from = /^https?:/.test(SerialWs.source) ? SerialWs.source : "http://localhost:8080";
    // "localhost:8080" is meant as ws://localhost:8080.
    const base = new URL(/^(\/|\w+:\/\/)/.test(url) ? url : `ws://${url}`, from);
    base.protocol = base.protocol.replace("http", "ws");
    if (port) base.pathname = `/ports/${port}`;
    return base.href;
  }

  async function diagnose(url) {
    const hello = new URL("/hello", url.replace(/^ws/, "http"));
    try {
      const answer = await (await fetch(hello, { signal: AbortSignal.timeout(3000) })).json();
      if (answer.allowed === false) {
        return { state: "refused", detail: "serial-ws refused this page", hint: answer.remedy };
      }
      return { state: "closed", detail: "not connected to serial-ws", hint: "Trying again" };
    } catch {
      // Only now: a page may be denied what it does not need, as on this computer.
      if (await permission() === "denied") {
        return {
          state: "blocked",
          detail: "the browser keeps this page from programs on this computer",
          hint: "Allow “apps on device” or “local network” in the site settings beside the address",
        };
      }
      return {
        state: "stopped",
        detail: `serial-ws does not answer at ${hello.host}`,
        hint: "Is it running? If it is, the browser may be blocking: look for a question beside the address",
      };
    }
  }

  async function permission() {
    try {
      return (await navigator.permissions.query({ name: "loopback-network" })).state;
    } catch {
      return undefined;
    }
  }

  function decode(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  globalThis.SerialWs = SerialWs;
})();
