// io() for pages made for Socket.IO, over the WebSocket of serial-ws: each line from the board is a message, and what a
// page emits is written to it. serial-ws serves this file at /socket.io/socket.io.js. It loads serial-ws.js itself.
(() => {
  /** Events of the connection. No line has them, and nobody can emit them. */
  const RESERVED = ["connect", "connect_error", "disconnect"];
  /** The events of every line. */
  const LINE_EVENTS = ["message", "data"];
  /** Most messages to keep until the page is connected: many pages emit at once. */
  const MAX_WAITING = 100;
  /** States of `SerialWs` in which a page that should be connected is not. */
  const FAILED = ["stopped", "refused", "blocked", "mistake", "disconnected"];
  /** A line such as `light: 80` or `state:on`. */
  const LABELLED = /^\s*([^\s:,{["][^:,]*?)\s*:\s*(.*?)\s*$/;

  const library = load();
  // Each socket reports it.
  library?.catch(() => {});

  class Socket {
    /** True while the page is connected to serial-ws. */
    connected = false;
    /** The name of this connection, or undefined. */
    id;
    #handlers = new Map();
    #serial;
    #address;
    #options;
    #waiting = [];
    #wasConnected = false;

    constructor(address, options) {
      this.#address = address;
      this.#options = { ...options, values: true, token: options.token ?? options.auth?.token };
      if (options.autoConnect ?? true) this.connect();
    }

    /** Calls `handler` for each `event`: a line (`message`, `data`), a name in a line, or one of the connection. */
    on(event, handler) {
      if (!this.#handlers.has(event)) this.#handlers.set(event, []);
      this.#handlers.get(event).push({ handler });
      return this;
    }

    /** Calls `handler` for the next `event` only. */
    once(event, handler) {
      if (!this.#handlers.has(event)) this.#handlers.set(event, []);
      this.#handlers.get(event).push({ handler, isOnce: true });
      return this;
    }

    /** Calls a handler no more; without one, none of the event; without an event, none at all. */
    off(event, handler) {
      if (event === undefined) this.#handlers.clear();
      else if (handler === undefined) this.#handlers.delete(event);
      else this.#handlers.set(event, (this.#handlers.get(event) ?? []).filter((known) => known.handler !== handler));
      return this;
    }

    /**
     * Writes text, a number as text, or bytes (an ArrayBuffer or a view); anything else as JSON. The name of the event
     * is not written. A function at the end is called once the board's system has taken all.
     */
    emit(event, ...values) {
      if (RESERVED.includes(event)) throw new Error(`"${event}" is a reserved event name`);
      const done = typeof values.at(-1) === "function" ? values.pop() : undefined;
      const [data] = values;
      if (data === undefined) return this;
      if (this.connected) this.#write(data, done);
      else if (!this.#wasConnected && this.#waiting.length < MAX_WAITING) this.#waiting.push([data, done]);
      else console.warn("serial-ws: not connected, so this was not written:", data);
      return this;
    }

    /** The same as emit("message", …). */
    send(...values) {
      return this.emit("message", ...values);
    }

    /** Connects again after disconnect(). */
    connect() {
      this.#open().catch((error) => this.#fire("connect_error", error));
      return this;
    }

    open() {
      return this.connect();
    }

    disconnect() {
      if (this.connected) this.#leave("io client disconnect");
      this.#serial?.close();
      this.#serial = undefined;
      return this;
    }

    close() {
      return this.disconnect();
    }

    async #open() {
      await library;
      if (this.#serial) return;
      const serial = this.#serial = new SerialWs(this.#address, this.#options);
      const on = (event, handler) => serial.on(event, (...values) => serial === this.#serial && handler(...values));
      on("open", ({ run, client }) => this.#arrive(`${run}.${client}`));
      on("close", () => this.connected && this.#leave("transport close"));
      on("line", (text, line) => line.partial || this.#receive(text, line));
      on("status", ({ state, detail, hint }) => {
        if (FAILED.includes(state)) this.#fire("connect_error", new Error([detail, hint].filter(Boolean).join(". ")));
      });
      on("error", (error) => console.warn(`serial-ws: ${error.message}`));
    }

    #arrive(id) {
      this.id = id;
      this.connected = this.#wasConnected = true;
      this.#fire("connect");
      for (const [data, done] of this.#waiting.splice(0)) this.#write(data, done);
    }

    #leave(reason) {
      this.id = undefined;
      this.connected = false;
      this.#fire("disconnect", reason);
    }

    #write(data, done) {
      const isBytes = data instanceof ArrayBuffer || ArrayBuffer.isView(data);
      const text = () => typeof data === "object" ? JSON.stringify(data) : String(data);
      // The console is told if it fails.
      (isBytes ? this.#serial.write(data) : this.#serial.send(text())).then(() => done?.(), () => {});
    }

    #receive(text, line) {
      for (const event of LINE_EVENTS) this.#fire(event, text);
      for (const [name, value] of Object.entries(named(text, line))) {
        if (!RESERVED.includes(name) && !LINE_EVENTS.includes(name)) this.#fire(name, value);
      }
    }

    #fire(event, ...values) {
      for (const known of [...this.#handlers.get(event) ?? []]) {
        if (known.isOnce) this.#handlers.set(event, this.#handlers.get(event).filter((other) => other !== known));
        try {
          known.handler.apply(this, values);
        } catch (error) {
          // The console shows it as uncaught, and the other handlers get their call.
          queueMicrotask(() => { throw error; });
        }
      }
    }
  }

  /** Returns what has a name in a line: the members of a JSON object, its named numbers, or the text after a label. */
  function named(text, { values }) {
    if (text.trimStart().startsWith("{")) {
      try {
        return JSON.parse(text);
      } catch {
        // Not JSON, so it may be something else.
      }
    }
    if (values && !Array.isArray(values)) return values;
    const [, label, value] = text.match(LABELLED) ?? [];
    return label === undefined ? {} : { [label]: value };
  }

  /**
   * Connects to `address`, such as "http://localhost:8080", or to the serial-ws that this file came from. The options of
   * SerialWs work here, too.
   */
  function io(address, options = {}) {
    if (address && typeof address === "object") [address, options] = [undefined, address];
    // "//localhost:8080" has no protocol, but a host.
    return new Socket(address?.replace(/^\/\//, "ws://") ?? "/", options);
  }

  /** Loads serial-ws.js from the serial-ws that this file came from, unless the page has loaded it. */
  function load() {
    if (globalThis.SerialWs) return;
    const script = document.createElement("script");
    script.src = new URL("../serial-ws.js", document.currentScript.src).href;
    document.head.append(script);
    return new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${script.src} does not load: is serial-ws running?`));
    });
  }

  globalThis.io = Object.assign(io, { io, connect: io });
})();
