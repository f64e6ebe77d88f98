// Web Serial over serial-ws: pages written for navigator.serial run unchanged, in every browser.
// Load it before the scripts of the page. Where the browser has Web Serial itself, that stays, unless this
// script tag has `data-replace`; `serialWs.serial` is always here. https://wicg.github.io/serial/
(() => {
  /**
   * The root of serial-ws, seen from this file. Where serial-ws serves it, "./" or "../" stands here, since a proxy may
   * have put serial-ws under a prefix.
   */
  const ROOT = "/";
  const SCRIPT = document.currentScript;
  /** Milliseconds for which a connection is kept after close(): tools close and open again to change the rate. */
  const KEEP_TIME = 2000;
  /** Milliseconds for which open() waits for an answer of the operator, and between two attempts. */
  const ANSWER_TIMEOUT = 60000, ANSWER_DELAY = 500;
  /** Most bytes in one message: longer chunks are sent in pieces, which --max-message lets through. */
  const MAX_PIECE = 1 << 14;
  /** Received bytes that wait for the page to read them; with more, it gets a BufferOverrunError. */
  const MAX_UNREAD = 1 << 20;
  /** The largest bufferSize, and the one where none is given. */
  const MAX_BUFFER = 1 << 24, DEFAULT_BUFFER = 255;
  /** The close code of serial-ws for a device that this page may not open. */
  const NOT_OFFERED = 4403;
  /** The outputs of a port that serial-ws opened. */
  const OUTPUTS = { dtr: true, rts: true, break: false };
  /** What only this file may do with ports: make them, and tell them what serial-ws has. */
  const KEY = Symbol("serial-ws"), UPDATE = Symbol("update");

  if (globalThis.serialWs) return;
  const { root, token } = whereSerialWsIs();
  // By whole addresses, since a script of another origin has no base; and at once, since a module that could not be
  // loaded is never loaded again.
  const part = (name) => import(new URL(`web-serial-${name}.mjs`, SCRIPT?.src || root).href);
  const parts = Promise.all([part("link"), part("chooser")]).then(
    ([{ Server, Link }, { choose }]) => ({ server: new Server(root, token), Link, choose }),
  );
  parts.catch(() => {});
  const type = byteStreams() ? "bytes" : undefined;

  /**
   * An event target whose events bubble to its parent. Only nodes form trees of event targets, so it is a node with
   * another prototype.
   */
  function TreeTarget(node) {
    return Object.setPrototypeOf(node, new.target.prototype);
  }
  TreeTarget.prototype = EventTarget.prototype;

  /** Defines the attributes `onconnect` and `ondisconnect` of a class. */
  function withHandlers(Class) {
    for (const type of ["connect", "disconnect"]) {
      const handlers = new WeakMap();
      Object.defineProperty(Class.prototype, `on${type}`, {
        configurable: true,
        enumerable: true,
        get() {
          return handlers.get(this) ?? null;
        },
        set(handler) {
          if (!handlers.has(this)) this.addEventListener(type, (event) => handlers.get(this)?.call(this, event));
          handlers.set(this, typeof handler === "function" ? handler : null);
        },
      });
    }
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { configurable: true, value: Class.name });
  }

  /** `navigator.serial`. */
  class Serial extends TreeTarget {
    constructor(key) {
      if (key !== KEY) throw new TypeError("Illegal constructor");
      super(document.createDocumentFragment());
    }

    addEventListener(...given) {
      catalog.watch();
      super.addEventListener(...given);
    }

    /** Returns the ports that were chosen before. It waits for nothing: one that is not here gets `disconnect` later. */
    async getPorts() {
      catalog.watch();
      return [...catalog.ports.values()].filter((port) => port.connected);
    }

    /** Lets the user choose a port. */
    async requestPort({ filters = [] } = {}) {
      if (navigator.userActivation?.isActive === false) {
        throw new DOMException("A port can only be requested in reply to a click or a key.", "SecurityError");
      }
      const wanted = [...filters].map(readFilter);
      catalog.watch();
      const { choose } = await parts;
      const entry = await choose(catalog, wanted);
      if (!entry) throw new DOMException("No port selected by the user.", "NotFoundError");
      return catalog.grant(entry);
    }
  }

  /** A serial port of serial-ws. */
  class SerialPort extends TreeTarget {
    /** What the catalog knows of it. */
    #entry;
    #isConnected = true;
    /** True from the loss of the device until it is back, while there is a connection that tells. */
    #isLost = false;
    /** closed, opening, opened, closing or forgotten. */
    #state = "closed";
    /** The connection, also for a while after close(). */
    #link;
    #keepTimer;
    #bufferSize = DEFAULT_BUFFER;
    #readable = null;
    #writable = null;
    /** The controllers of the streams, and true while the readable one waits for a chunk. */
    #reading;
    #writing;
    #isWanted = false;
    /** Chunks that were not read yet, with an error behind the last one before it. */
    #unread = [];
    #unreadBytes = 0;
    /** The error that ended this opening, if one did. */
    #fatal;
    /** Called when both streams have ended, for close(). */
    #onEnded;
    /** The outputs as this page set them last. */
    #outputs = { ...OUTPUTS };

    constructor(key, entry) {
      if (key !== KEY) throw new TypeError("Illegal constructor");
      super(document.createComment(""));
      this.#entry = entry;
    }

    get connected() {
      return this.#isConnected;
    }

    get readable() {
      if (this.#readable || this.#state !== "opened" || this.#fatal) return this.#readable;
      const source = {
        type,
        start: (controller) => { this.#reading = controller; },
        pull: () => {
          this.#isWanted = true;
          this.#deliver();
        },
        cancel: () => {
          this.#unread = [];
          this.#unreadBytes = 0;
          this.#endReadable();
        },
      };
      // Nothing waits in the stream itself, where an error would discard it.
      this.#readable = new ReadableStream(source, { highWaterMark: 0 });
      this.#deliver();
      return this.#readable;
    }

    get writable() {
      if (this.#writable || this.#state !== "opened" || this.#fatal) return this.#writable;
      const sink = {
        start: (controller) => { this.#writing = controller; },
        write: (chunk, controller) => this.#write(chunk, controller.signal),
        close: () => this.#endWritable(),
        abort: () => this.#endWritable(),
      };
      const size = (chunk) => chunk?.byteLength ?? 1;
      this.#writable = new WritableStream(sink, { highWaterMark: this.#bufferSize, size });
      return this.#writable;
    }

    getInfo() {
      return { ...this.#entry.usb };
    }

    async open(options) {
      if (this.#state === "forgotten") throw new DOMException("This port was forgotten.", "NetworkError");
      this.#expect("closed", "The port is already open.");
      const { line, bufferSize } = readOptions(options);
      this.#state = "opening";
      let link;
      try {
        link = await this.#connect(line);
      } catch (error) {
        if (this.#state === "opening") this.#state = "closed";
        throw new DOMException(`Failed to open serial port: ${error.message}`, "NetworkError");
      }
      if (this.#state === "forgotten") {
        link.close();
        throw new DOMException("This port was forgotten.", "NetworkError");
      }
      this.#link = link;
      this.#bufferSize = bufferSize;
      this.#state = "opened";
    }

    async close() {
      this.#expect("opened", "The port is already closed.");
      this.#state = "closing";
      const closed = new DOMException("The port was closed.", "InvalidStateError");
      const ended = new Promise((resolve) => { this.#onEnded = resolve; });
      try {
        const streams = [this.#readable?.cancel(), this.#writable?.abort(closed)];
        this.#checkEnded();
        await Promise.all([...streams, ended]);
      } catch (error) {
        if (this.#state === "closing") this.#state = "opened";
        throw error;
      }
      if (this.#state === "closing") this.#state = "closed";
      this.#unread = [];
      this.#unreadBytes = 0;
      this.#fatal = undefined;
      this.#keepLink();
      if (this.#outputs.break) await this.#setBreak(false).catch(() => this.#disconnect());
    }

    async forget() {
      const error = new DOMException("This port was forgotten.", "NetworkError");
      this.#state = "forgotten";
      this.#writing?.error(error);
      this.#reading?.error(error);
      this.#endReadable();
      this.#endWritable();
      this.#disconnect();
      catalog.forget(this, this.#entry.key);
    }

    async setSignals(signals = {}) {
      this.#expect("opened", "The port is closed.");
      const { dataTerminalReady = signals.dtr, requestToSend = signals.rts, break: held = signals.brk } = signals;
      const wanted = Object.entries({ dtr: dataTerminalReady, rts: requestToSend, break: held });
      const given = wanted.filter(([, on]) => on !== undefined).map(([name, on]) => [name, Boolean(on)]);
      if (given.length === 0) throw new TypeError("setSignals takes dataTerminalReady, requestToSend or break");
      const link = this.#link;
      const hadLock = Boolean(link?.before);
      try {
        if (!link) throw new Error("the device has been lost");
        if (given.some(([name, on]) => on !== this.#outputs[name])) await link.lock();
        const { break: on, ...lines } = Object.fromEntries(given);
        if (Object.keys(lines).length > 0) await link.request({ type: "signals", ...lines });
        Object.assign(this.#outputs, lines);
        if (on !== undefined && on !== this.#outputs.break) await this.#setBreak(on);
      } catch (error) {
        // A device without such lines needs no lock.
        if (!hadLock && this.#link === link) link?.unlock().catch(() => {});
        throw new DOMException(`Failed to set control signals: ${error.message}`, "NetworkError");
      }
    }

    async getSignals() {
      this.#expect("opened", "The port is closed.");
      // The first status that has them may be on its way.
      const inputs = await this.#link?.inputs();
      if (!inputs) throw new DOMException("Failed to get control signals: the device has none", "NetworkError");
      return { dataCarrierDetect: inputs.dcd, clearToSend: inputs.cts, ringIndicator: inputs.ri, dataSetReady: inputs.dsr };
    }

    /** Takes what the catalog knows now: nothing if this port is not here. */
    [UPDATE](entry) {
      this.#entry = entry ?? this.#entry;
      // The list may be older than what the connection told.
      this.#setConnected(this.#link?.isOpen || (Boolean(entry?.isOffered) && !this.#isLost));
    }

    #setConnected(isConnected) {
      if (isConnected) this.#isLost = false;
      if (this.#isConnected === isConnected) return;
      this.#isConnected = isConnected;
      const event = new Event(isConnected ? "connect" : "disconnect", { bubbles: true });
      Object.defineProperty(event, "port", { value: this, enumerable: true });
      this.dispatchEvent(event);
    }

    #expect(state, message) {
      if (this.#state !== state) throw new DOMException(message, "InvalidStateError");
    }

    /** Connects with these settings of the line, by the connection that was kept if there is one. */
    async #connect(line) {
      clearTimeout(this.#keepTimer);
      if (!this.#link?.isOpen) return this.#newLink(line);
      const link = this.#link;
      const other = Object.entries(line).filter(([name, value]) => value !== link.settings[name]);
      if (other.length === 0) return link;
      try {
        await link.change(Object.fromEntries(other));
      } catch (error) {
        this.#disconnect();
        throw new Error(`${error.message} (the port has ${link.settings.baud} baud)`);
      }
      // The end of the lock has brought the lines back.
      if (!link.before) this.#outputs = { ...OUTPUTS };
      return link;
    }

    async #newLink(line) {
      this.#disconnect();
      this.#outputs = { ...OUTPUTS };
      const { server, Link } = await parts;
      const end = Date.now() + ANSWER_TIMEOUT;
      for (;;) {
        try {
          const link = await Link.open(server, this.#entry, line);
          link.onData = (bytes) => this.#receive(bytes);
          link.onError = (name, message) => this.#interrupt(new DOMException(message, name));
          link.onLost = (reason, isOver) => this.#lose(reason, isOver);
          link.onBack = () => {
            this.#setConnected(true);
            if (this.#state === "closed") this.#keepLink();
          };
          return link;
        } catch (error) {
          const isAsked = error.code === NOT_OFFERED && this.#entry.asks && Date.now() < end;
          if (!isAsked) throw error;
          await new Promise((resolve) => setTimeout(resolve, ANSWER_DELAY));
        }
      }
    }

    /** Keeps the connection for a while; that of a lost device until it is back, which serial-ws knows first. */
    #keepLink() {
      clearTimeout(this.#keepTimer);
      if (!this.#isLost) this.#keepTimer = setTimeout(() => this.#disconnect(), KEEP_TIME);
    }

    #disconnect() {
      clearTimeout(this.#keepTimer);
      this.#link?.close();
      this.#link = undefined;
    }

    #receive(bytes) {
      if (this.#state !== "opened" || this.#unread.at(-1) instanceof DOMException) return;
      this.#unread.push(bytes);
      this.#unreadBytes += bytes.length;
      if (this.#unreadBytes > Math.max(MAX_UNREAD, this.#bufferSize)) {
        this.#interrupt(new DOMException(`the page left ${this.#unreadBytes} bytes unread`, "BufferOverrunError"));
      }
      this.#deliver();
    }

    /** Ends the readable stream with this error, behind what was received before. */
    #interrupt(error) {
      if (this.#state !== "opened") return;
      if (!(this.#unread.at(-1) instanceof DOMException)) this.#unread.push(error);
      this.#deliver();
    }

    #deliver() {
      while (this.#reading && this.#unread.length > 0) {
        const [next] = this.#unread;
        if (next instanceof DOMException) {
          this.#unread.shift();
          this.#reading.error(next);
          return this.#endReadable();
        }
        if (!this.#isWanted) return;
        this.#isWanted = false;
        this.#unread.shift();
        this.#unreadBytes -= next.length;
        this.#reading.enqueue(next);
      }
    }

    async #write(chunk, signal) {
      try {
        const bytes = bytesOf(chunk);
        for (let at = 0; at < bytes.length; at += MAX_PIECE) {
          const piece = encode(bytes.subarray(at, at + MAX_PIECE));
          await unlessAborted(this.#link.request({ type: "write", bytes: piece }), signal);
        }
      } catch (error) {
        if (!signal?.aborted && this.#link) await this.#link.isLost();
        this.#endWritable();
        if (this.#fatal || error instanceof TypeError || signal?.aborted) throw this.#fatal ?? error;
        throw new DOMException(`Failed to write: ${error.message}`, "UnknownError");
      }
    }

    /** Ends this opening: the device is gone, or serial-ws is. The state stays as it is until close(). */
    #lose(reason, isOver) {
      const error = new DOMException(`The device has been lost. ${reason}`, "NetworkError");
      if (this.#state === "opened" || this.#state === "closing") {
        this.#fatal = error;
        this.#writing?.error(error);
        this.#endWritable();
        this.#unread = this.#unread.filter((item) => !(item instanceof DOMException));
        this.#interrupt(error);
      }
      this.#outputs = { ...OUTPUTS };
      this.#isLost = !isOver;
      this.#setConnected(false);
      if (!isOver) return;
      this.#disconnect();
      // The list of devices may not change at all when only this connection ended.
      setTimeout(() => catalog.tell(this, this.#entry.key), ANSWER_DELAY);
    }

    #endReadable() {
      this.#readable = null;
      this.#reading = undefined;
      this.#isWanted = false;
      this.#checkEnded();
    }

    #endWritable() {
      this.#writable = null;
      this.#writing = undefined;
      this.#checkEnded();
    }

    #checkEnded() {
      if (!this.#readable && !this.#writable) this.#onEnded?.();
    }

    async #setBreak(on) {
      await this.#link.request({ type: "break", on });
      this.#outputs.break = on;
    }
  }

  withHandlers(Serial);
  withHandlers(SerialPort);
  const serial = new Serial(KEY);

  /** The ports that this page was given, and what serial-ws has. */
  const catalog = new class {
    /** Where the keys of the ports that were chosen are kept. */
    #memory = `serial-ws ports of ${root.href}`;
    #isWatching = false;
    /** The ports that were chosen, by key. */
    ports = new Map();
    /** What can be chosen, by key; undefined while that is not known. */
    entries;
    /** Why nothing is known, in words for people. */
    problem = "";
    /** Called after each change. */
    listeners = new Set();

    constructor() {
      let remembered = [];
      try {
        remembered = JSON.parse(localStorage.getItem(this.#memory)) ?? [];
      } catch {
        // A page without storage remembers nothing.
      }
      for (const entry of remembered) this.#add(entry);
    }

    /** Follows what serial-ws has from now on. */
    watch() {
      if (this.#isWatching) return;
      this.#isWatching = true;
      parts.then(({ server }) => server.watch((entries, problem) => this.#update(entries, problem)), () => {});
    }

    /** Tells a port what is known of it. */
    tell(port, key) {
      if (this.ports.get(key) === port) port[UPDATE](this.entries?.get(key));
    }

    grant(entry) {
      const port = this.ports.get(entry.key) ?? this.#add(entry);
      port[UPDATE](entry);
      this.#remember();
      return port;
    }

    forget(port, key) {
      if (this.ports.get(key) !== port) return;
      this.ports.delete(key);
      Comment.prototype.remove.call(port);
      this.#remember();
    }

    #add({ key, usb }) {
      const port = new SerialPort(KEY, { key, usb });
      this.ports.set(key, port);
      Node.prototype.appendChild.call(serial, port);
      return port;
    }

    #remember() {
      const chosen = [...this.ports].map(([key, port]) => ({ key, usb: port.getInfo() }));
      try {
        localStorage.setItem(this.#memory, JSON.stringify(chosen));
      } catch {
        // The user is asked again next time.
      }
    }

    #update(entries, problem) {
      Object.assign(this, { entries, problem });
      for (const [key, port] of this.ports) this.tell(port, key);
      for (const listener of this.listeners) listener();
    }
  };

  globalThis.serialWs = { serial, Serial, SerialPort };
  if (!("serial" in navigator) || SCRIPT?.dataset.replace !== undefined) {
    Object.defineProperty(navigator, "serial", { configurable: true, enumerable: true, value: serial });
    for (const value of [Serial, SerialPort]) {
      Object.defineProperty(globalThis, value.name, { configurable: true, writable: true, value });
    }
  }

  function readFilter(filter) {
    const { usbVendorId = filter.vendorId, usbProductId = filter.productId, bluetoothServiceClassId } = filter;
    if (usbVendorId === undefined && bluetoothServiceClassId === undefined) {
      throw new TypeError(`A filter must have a usbVendorId; this one is ${JSON.stringify(filter)}`);
    }
    return { vendor: usbVendorId, product: usbProductId };
  }

  /** Returns the options of open(), also in the spelling of before 2020, as settings of serial-ws. */
  function readOptions(options) {
    if (options === null || typeof options !== "object") throw new TypeError("open() takes an object with a baudRate");
    const { baudRate = options.baudrate, dataBits = options.databits ?? 8, stopBits = options.stopbits ?? 1 } = options;
    const { parity = "none", bufferSize = options.buffersize ?? DEFAULT_BUFFER } = options;
    const { flowControl = options.rtscts ? "hardware" : "none" } = options;
    const line = {
      baud: whole("baudRate", baudRate, 1, 2 ** 32 - 1),
      dataBits: whole("dataBits", dataBits, 7, 8),
      parity: word("parity", parity, ["none", "even", "odd"]),
      stopBits: whole("stopBits", stopBits, 1, 2),
      flowControl: word("flowControl", flowControl, ["none", "hardware"]),
    };
    return { line, bufferSize: whole("bufferSize", bufferSize, 1, MAX_BUFFER) };
  }

  function whole(name, value, min, max) {
    const number = Math.trunc(Number(value));
    if (number >= min && number <= max) return number;
    throw new TypeError(`${name} must be a whole number from ${min} to ${max}; it is ${value}`);
  }

  function word(name, value, known) {
    if (known.includes(String(value))) return String(value);
    throw new TypeError(`${name} must be ${known.join(" or ")}; it is ${value}`);
  }

  /** Returns the bytes of what a page writes, none if its buffer was detached. */
  function bytesOf(chunk) {
    if (chunk?.byteLength === 0) return new Uint8Array(0);
    if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength).slice();
    if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk).slice();
    throw new TypeError("Only an ArrayBuffer or a view of one can be written");
  }

  /** Waits for a promise, unless the signal is aborted first. */
  function unlessAborted(promise, signal) {
    if (!signal) return promise;
    const aborted = new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    return Promise.race([promise, aborted]);
  }

  function encode(bytes) {
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }

  /** Returns the root of serial-ws, given by `data-url` or that of this file, and the token in that address. */
  function whereSerialWsIs() {
    const source = /^https?:/.test(SCRIPT?.src) ? SCRIPT.src : undefined;
    const beside = source ? new URL(ROOT, source) : new URL("http://localhost:8080/");
    const given = SCRIPT?.dataset.url;
    // "localhost:8080" means http://localhost:8080.
    const url = new URL(given?.replace(/^(?!\w+:\/\/|\/)/, "http://").replace(/^ws/, "http") ?? beside, beside);
    const token = new URL(given ? url : source ?? url).searchParams.get("token");
    return { root: new URL(url.pathname.replace(/[^/]*$/, ""), url.origin), token };
  }

  /** Returns true where streams can be read into buffers of the page. Safari has that since 26.4. */
  function byteStreams() {
    try {
      return Boolean(new ReadableStream({ type: "bytes" }));
    } catch {
      return false;
    }
  }
})();
