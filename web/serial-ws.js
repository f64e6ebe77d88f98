// The client library of serial-ws: connects to a port, and reconnects by itself.
// In a plain <script> it defines the class SerialWs; bundlers import serial-ws.mjs.
(() => {
  /**
   * The root of serial-ws, seen from this file. Where serial-ws serves it, "./" or "../" stands here, since a proxy may
   * have put serial-ws under a prefix.
   */
  const ROOT = "/";
  /** Close codes for a mistake in the address: retrying would not help. */
  const MISTAKE_CODES = [4400, 4404, 4409];
  /** The close code for a client that the operator disconnected. It comes back only if its user wants it to. */
  const DISCONNECTED = 4410;
  /** The close code for a device that this page may not open. The operator may allow it later. */
  const NOT_OFFERED = 4403;
  /** The close code for a device that is not here. */
  const NOT_HERE = 4404;
  /** The end of the path of a port, of a device, and of what else serial-ws serves. */
  const PORT = /((ports|devices)\/)?[^/]*$/;
  /** The settings of the line, for a device. */
  const LINE = ["baud", "dataBits", "parity", "stopBits", "flowControl"];
  /** The shortest and the longest delay before reconnecting, in milliseconds. */
  const MIN_DELAY = 500, MAX_DELAY = 10000;
  /** Bytes that a request may write, unless `hello` says otherwise. */
  const MAX_MESSAGE = 65536;
  /** Milliseconds of silence, while a reply is due, before the connection is tested, and again before it is given up. */
  const REPLY_TIMEOUT = 30000;
  /** Milliseconds before a pending attempt is diagnosed: the browser may be asking its user. */
  const CONNECT_TIMEOUT = 4000;
  const BLOCKED = "the browser does not allow this connection";

  class SerialWs {
    /** Where this file was loaded from, which is where serial-ws usually is. */
    static source = globalThis.document?.currentScript?.src ?? `${globalThis.location?.origin}/`;

    /** The address of the serial-ws that this file came from, to which `ports/NAME` or a query can be added. */
    static get address() {
      return address("", {});
    }

    #options;
    #socket;
    #handlers = new Map();
    #pending = new Map();
    #lastId = 0;
    #position;
    #delay = MIN_DELAY;
    #timers = [];
    #replyTimer;
    #active;
    #connected = false;

    /** The latest `hello` of serial-ws, or undefined. */
    hello;
    /** The last complete line, or undefined. */
    last;
    /** The values of the last line that had any, where they are asked for: by name, or in order. */
    values = {};
    /** The current status: `state` is for programs, `detail` and `hint` are for people. `advice` is the setting that would help, `settings` are those in force, `playback` is the place in a recording that is played, `recording` the one that is made, `outputs` what else gets the data. */
    status = { state: "connecting", detail: "connecting to serial-ws" };

    constructor(url, options = {}) {
      if (url && typeof url === "object") [url, options] = [undefined, url];
      this.#options = options;
      this.url = address(url ?? "/", options);
      this.open();
    }

    /** Returns the devices of the computer that serial-ws runs on. */
    static async devices(url = "/", options = {}) {
      const list = sibling(address(url, options).replace(/^ws/, "http"), "api/devices");
      if (options.token) list.searchParams.set("token", options.token);
      const answer = await fetch(list);
      if (!answer.ok) throw new Error((await answer.text()).trim());
      return answer.json();
    }

    /** Watches the devices: calls handlers of the event "devices" with the list, now and after each change. */
    static watchDevices(url = "/", options = {}) {
      return new DeviceWatcher(url, options);
    }

    /** True while data can arrive: this page is connected to serial-ws, and serial-ws to the board. */
    get opened() {
      return this.status.state === "open";
    }

    /** Calls `handler` for each `event`. */
    on(event, handler) {
      if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
      this.#handlers.get(event).add(handler);
      return this;
    }

    off(event, handler) {
      this.#handlers.get(event)?.delete(handler);
      return this;
    }

    /** Sends text. The promise resolves once the operating system has taken the last byte. */
    send(text, options) {
      return this.request({ type: "write", text: String(text), ...options });
    }

    /**
     * Sends bytes unchanged: one number, an array of them, a view or an ArrayBuffer; or text. With
     * `{ urgent: true }`, before everything that waits.
     */
    write(bytes, options) {
      if (typeof bytes === "string") return this.send(bytes, options);
      return this.request({ type: "write", bytes: encode(bytes), ...options });
    }

    /** Sends bytes or text as a frame: with what the framing of the port adds to it, as SLIP or start and end marks. */
    writeFrame(bytes, options) {
      const frame = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      return this.request({ type: "write", frame: encode(frame), ...options });
    }

    /**
     * Asks the device. The promise resolves with its reply: text for text, bytes for bytes. The reply is the next line,
     * or what `until` says. An object with a `type` is any request, as for request().
     */
    ask(question, options) {
      if (question?.type) return this.request(question);
      const isText = typeof question === "string";
      const content = isText ? { text: question } : { bytes: encode(question) };
      const reply = this.request({ type: "ask", ...content, ...options }).then(({ text, bytes }) => {
        return text ?? (isText ? new TextDecoder().decode(decode(bytes)) : decode(bytes));
      });
      // As for any request.
      reply.catch(() => {});
      return reply;
    }

    reset() {
      return this.request({ type: "reset" });
    }

    release(seconds = 60) {
      return this.request({ type: "release", seconds });
    }

    resume() {
      return this.request({ type: "resume" });
    }

    signals(lines) {
      return this.request({ type: "signals", ...lines });
    }

    /**
     * Keeps others from changing the board until unlock(); they are told this name. With `{ restore: true }`, settings
     * and lines return then.
     */
    lock(name, options) {
      return this.request({ type: "lock", name, ...options });
    }

    unlock() {
      return this.request({ type: "unlock" });
    }

    /** Starts recording the port on the computer of serial-ws; `record(false)` stops. */
    record(on = true) {
      return this.ask({ type: "record", on });
    }

    /** Adds a remark to what is being recorded. */
    note(text) {
      return this.ask({ type: "note", text: String(text) });
    }

    /** Changes settings of the port for everybody, such as `{ baud: 115200 }`. */
    settings(changes) {
      return this.request({ type: "settings", ...changes });
    }

    /** Changes how a recording is played, such as `{ pause: true }`, `{ seek: 90 }` or `{ speed: 2 }`. */
    playback(changes) {
      return this.request({ type: "playback", ...changes });
    }

    /** Sends any request of the json protocol. The promise resolves with its reply. */
    request(object) {
      const promise = new Promise((resolve, reject) => {
        if (this.#socket?.readyState !== 1) throw new Error(`not sent: ${this.status.detail}`);
        const id = ++this.#lastId;
        const text = JSON.stringify({ ...object, id });
        const { length } = new TextEncoder().encode(text);
        // An object may have six times as many bytes as it writes, and 1024 more:
        const max = 6 * (this.hello?.maxMessage ?? MAX_MESSAGE) + 1024;
        // serial-ws would close the connection.
        if (length > max) throw new Error(`not sent: ${length} bytes as JSON are more than a message may have (${max})`);
        this.#pending.set(id, { resolve, reject });
        this.#socket.send(text);
        if (this.#pending.size === 1) this.#awaitReply();
      });
      // Ignoring the promise must not cause an uncaught error.
      promise.catch((error) => this.#emit("error", error));
      return promise;
    }

    /** Reconnects after close(). */
    open() {
      this.#active = true;
      globalThis.addEventListener?.("online", this.#reconnectNow);
      globalThis.document?.addEventListener("visibilitychange", this.#reconnectNow);
      // In a microtask, so that handlers added right after this call miss no event.
      queueMicrotask(() => this.#active && !this.#socket && this.#connect());
    }

    close() {
      this.#active = false;
      globalThis.removeEventListener?.("online", this.#reconnectNow);
      globalThis.document?.removeEventListener("visibilitychange", this.#reconnectNow);
      this.#clearTimers();
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.close(1000);
      this.#rejectPending("this page closed the connection");
      this.#setStatus({ state: "closed", detail: "closed by this page" });
      if (socket) this.#emit("close", { code: 1000, reason: "" });
    }

    #connect() {
      this.#clearTimers();
      const url = new URL(this.url);
      for (const [name, value] of Object.entries(this.#query())) url.searchParams.set(name, value);
      const Socket = this.#options.WebSocket ?? WebSocket;
      let socket;
      try {
        socket = new Socket(url.href);
      } catch (error) {
        // For example, a page from https: may not open ws: at all.
        this.#setStatus({ state: "blocked", detail: `${BLOCKED}: ${error.message}` });
        return this.#scheduleReconnect();
      }
      this.#socket = socket;
      this.#startTimer(CONNECT_TIMEOUT, () => this.#diagnose(socket));
      socket.onmessage = ({ data }) => socket === this.#socket && this.#onMessage(JSON.parse(data));
      socket.onclose = (event) => socket === this.#socket && this.#onClose(event);
      // Some browsers report only this event when they block a connection.
      socket.onerror = () => this.#startTimer(1000, () => {
        if (socket === this.#socket && socket.readyState !== 1) this.#onClose({ code: 1006, reason: "" });
      });
    }

    /** True if the address is that of a device, which may be unplugged. */
    get #isDevice() {
      return new URL(this.url).pathname.includes("/devices/");
    }

    #query() {
      const { history, latest, append, data, values, writes, client, token } = this.#options;
      const query = { view: "json" };
      if (latest) query.latest = latest;
      if (append) query.append = append;
      if (data) query.data = data;
      else if (values || this.#handlers.get("values")?.size) query.values = "";
      if (writes || this.#handlers.get("written")?.size) query.writes = "";
      if (client) query.client = client;
      if (token) query.token = token;
      if (this.#isDevice) Object.assign(query, lineQuery(this.#options));
      if (this.#position) query.since = this.#position;
      else if (history) query.history = history;
      return query;
    }

    /** Waits for any message while replies are due. The other end may have gone without a word. */
    #awaitReply(isTested) {
      clearTimeout(this.#replyTimer);
      const socket = this.#socket;
      if (this.#pending.size > 0) this.#replyTimer = setTimeout(() => {
        if (isTested) {
          socket.close();
          return this.#onClose({ code: 1006, reason: "" });
        }
        // serial-ws does not know this type, and says so.
        socket.send('{"type":"ping","id":0}');
        this.#awaitReply(true);
      }, REPLY_TIMEOUT);
    }

    #onMessage(message) {
      const { type, id } = message;
      if (type === "hello") {
        this.#clearTimers();
        this.#delay = MIN_DELAY;
        this.#connected = true;
        this.hello = message;
        this.#rememberPosition(this.#options.data ? message.offset : message.seq);
        this.#emit("open", message);
        this.#setStatus({ ...message.status, settings: message.port.settings });
      } else if (type === "line") {
        this.#rememberPosition(message.seq);
        const text = message.text ?? new TextDecoder().decode(decode(message.bytes));
        if (!message.partial) this.last = text;
        this.#emit("line", text, message);
        if (message.values) {
          this.values = message.values;
          this.#emit("values", message.values, message);
        }
        if (this.#handlers.get("json")?.size) this.#emitJson(text, message);
        if (!message.partial && this.#handlers.get("frame")?.size) {
          const { bytes } = message;
          this.#emit("frame", bytes === undefined ? new TextEncoder().encode(text) : decode(bytes), message);
        }
      } else if (type === "data") {
        const bytes = decode(message.bytes);
        this.#rememberPosition(message.offset + bytes.length);
        this.#emit("data", bytes, message);
      } else if (type === "written") {
        const { text, bytes } = message;
        this.#emit("written", text === undefined ? decode(bytes) : new TextEncoder().encode(text), message);
      } else if (type === "status") {
        const changed = message.settings && { baudAuto: false, baudDetected: false, ...message.settings };
        const settings = { ...this.status.settings, ...changed };
        this.#setStatus({ ...message, settings });
      } else if (type === "missed") {
        this.#emit("missed", message);
      } else if (type === "ack" || type === "reply" || type === "error") {
        const request = this.#pending.get(id);
        this.#pending.delete(id);
        if (type !== "error") request?.resolve(message);
        else if (request) request.reject(Object.assign(new Error(message.error), { code: message.code }));
        else if (id !== 0) this.#emit("error", new Error(message.error));
      }
      this.#awaitReply();
    }

    #emitJson(text, message) {
      let value;
      try {
        value = JSON.parse(text);
      } catch {
        return;
      }
      this.#emit("json", value, message);
    }

    #rememberPosition(position) {
      this.#position = `${this.hello.run}:${position}`;
    }

    #onClose(event) {
      const { code, reason } = event;
      const socket = this.#socket;
      this.#socket = undefined;
      this.#clearTimers();
      this.#rejectPending("the connection was lost before the reply; the request may have taken effect");
      if (this.#isDevice && code === NOT_HERE) {
        this.#setStatus({ state: "waiting", detail: reason, hint: "Plug it in" });
      } else if (code === NOT_OFFERED) {
        this.#setStatus({ state: "refused", detail: reason });
      } else if (code === DISCONNECTED) {
        this.#active = false;
        this.#setStatus({ state: "disconnected", detail: reason, hint: "Reload the page to connect again" });
      } else if (MISTAKE_CODES.includes(code)) {
        this.#active = false;
        this.#setStatus({ state: "mistake", detail: reason });
      } else if (reason || this.#connected) {
        this.#setStatus({ state: "closed", detail: reason || "the connection to serial-ws was lost", hint: "Reconnecting" });
      }
      this.#connected = false;
      this.#emit("close", { code, reason });
      if (!reason) this.#diagnose(socket);
      this.#scheduleReconnect();
    }

    /** Reports why there is no connection, as far as the browser lets a page know. */
    async #diagnose(socket) {
      const status = await diagnose(this.url);
      // Skip it if the socket was closed or opened in the meantime.
      if (!this.#active || this.hello && this.#socket?.readyState === 1) return;
      if (this.#socket && this.#socket !== socket) return;
      this.#setStatus(status);
    }

    #scheduleReconnect() {
      if (!this.#active) return;
      // A random delay, so that thirty pages do not reconnect at the same moment.
      this.#startTimer(this.#delay * (0.75 + Math.random() / 2), () => this.#connect());
      this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
    }

    /** Reconnects at once when the network is back or the page is visible again. */
    #reconnectNow = () => {
      if (this.#active && !this.#socket && !globalThis.document?.hidden) {
        this.#delay = MIN_DELAY;
        this.#connect();
      }
    };

    #rejectPending(reason) {
      for (const { reject } of this.#pending.values()) reject(new Error(reason));
      this.#pending.clear();
      clearTimeout(this.#replyTimer);
    }

    #setStatus({ state, detail, hint, advice, errors, inputs, writer, playback, recording, outputs, settings }) {
      const { status } = this;
      this.status = { state, detail, hint, advice, errors, inputs, writer, playback, recording, outputs, settings };
      if (JSON.stringify(status) === JSON.stringify(this.status)) return;
      this.#emit("status", this.status);
    }

    #emit(event, ...values) {
      call(this.#handlers.get(event) ?? [], this, values);
    }

    #startTimer(time, callback) {
      this.#timers.push(setTimeout(callback, time));
    }

    #clearTimers() {
      this.#timers.forEach(clearTimeout);
      this.#timers = [];
    }
  }

  /** The list of devices, kept up to date. */
  class DeviceWatcher {
    #address;
    #Socket;
    #socket;
    #handlers = { devices: new Set(), error: new Set() };
    #delay = MIN_DELAY;
    #timer;

    /** The newest list. */
    devices = [];

    constructor(url, options) {
      this.#address = sibling(address(url, options), "devices");
      if (options.token) this.#address.searchParams.set("token", options.token);
      this.#Socket = options.WebSocket ?? WebSocket;
      // In a microtask, so that handlers added right after this call miss nothing.
      queueMicrotask(() => this.#connect());
    }

    /** Calls `handler` with each list (`devices`), or with the reason why there is no connection (`error`). */
    on(event, handler) {
      this.#handlers[event]?.add(handler);
      return this;
    }

    off(event, handler) {
      this.#handlers[event]?.delete(handler);
      return this;
    }

    /** Ends watching. */
    close() {
      clearTimeout(this.#timer);
      this.#Socket = undefined;
      this.#socket?.close(1000);
    }

    #connect() {
      if (!this.#Socket) return;
      let socket;
      try {
        socket = this.#socket = new this.#Socket(this.#address.href);
      } catch (error) {
        // For example, a page from https: may not open ws: at all.
        call(this.#handlers.error, this, [new Error(`${BLOCKED}: ${error.message}`)]);
        return this.#scheduleReconnect();
      }
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type !== "devices") return;
        this.#delay = MIN_DELAY;
        this.devices = message.devices;
        call(this.#handlers.devices, this, [this.devices]);
      };
      socket.onclose = ({ code }) => {
        if (code !== DISCONNECTED && !MISTAKE_CODES.includes(code)) this.#scheduleReconnect();
      };
    }

    #scheduleReconnect() {
      if (!this.#Socket) return;
      this.#timer = setTimeout(() => this.#connect(), this.#delay);
      this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
    }
  }

  /** Calls handlers of `owner`, whatever one of them throws. */
  function call(handlers, owner, values) {
    for (const handler of handlers) {
      try {
        handler.apply(owner, values);
      } catch (error) {
        // The console shows it as uncaught, and the other handlers get their call.
        queueMicrotask(() => { throw error; });
      }
    }
  }

  /** Returns the address of something beside a port; a proxy may have put serial-ws under a prefix. */
  function sibling(href, name) {
    const url = new URL(href);
    url.pathname = url.pathname.replace(PORT, name);
    url.search = "";
    return url;
  }

  /** Returns the settings of the line that a device is to be opened with. */
  function lineQuery(options) {
    const query = {};
    for (const key of LINE) if (options[key] !== undefined) query[key] = options[key];
    for (const key of ["dtr", "rts"]) if (options[key] !== undefined) query[key] = options[key] ? "on" : "off";
    return query;
  }

  /** Returns the address of a port or a device. One without a host, such as "/ports/left", is of the serial-ws this file came from. */
  function address(url, { port, device }) {
    const isServed = /^https?:/.test(SerialWs.source);
    const root = isServed ? new URL(ROOT, SerialWs.source) : "http://localhost:8080";
    // "localhost:8080" means ws://localhost:8080.
    const base = new URL(/^(\/|$)/.test(url) ? `.${url}` : url.replace(/^(?!\w+:\/\/)/, "ws://"), root);
    base.protocol = base.protocol.replace("http", "ws");
    if (port) base.pathname = base.pathname.replace(PORT, `ports/${port}`);
    if (device) base.pathname = base.pathname.replace(PORT, `devices/${encodeURIComponent(device)}`);
    return base.href;
  }

  async function diagnose(socketUrl) {
    const url = sibling(socketUrl.replace(/^ws/, "http"), "hello");
    try {
      const hello = await (await fetch(url, { signal: AbortSignal.timeout(3000) })).json();
      if (hello.allowed === false) {
        return { state: "refused", detail: "serial-ws refused this page", hint: hello.remedy };
      }
      return { state: "closed", detail: "not connected to serial-ws", hint: "Reconnecting" };
    } catch {
      // Checked only now: pages on this computer need no permission, and may have been denied it.
      if (await permission() === "denied") {
        return {
          state: "blocked",
          detail: "the browser blocks connections from this page to this computer",
          hint: "Allow “apps on device” or “local network” in the site settings, next to the address bar",
        };
      }
      return {
        state: "stopped",
        detail: `serial-ws does not answer at ${url.host}`,
        hint: "Is it running? If so, the browser may be blocking it: look for a prompt near the address bar",
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

  /** Returns one byte, an array of them, a view or an ArrayBuffer in base64. */
  function encode(bytes) {
    const list = typeof bytes === "number" ? [bytes] : bytes;
    const { buffer = list, byteOffset, byteLength } = list;
    let binary = "";
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) binary += String.fromCharCode(byte);
    return btoa(binary);
  }

  function decode(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  globalThis.SerialWs = SerialWs;
})();
