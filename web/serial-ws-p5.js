// The calls of p5.webserial, for sketches written for it: replace the line that loads p5.webserial
// with one that loads this file. It loads serial-ws.js itself.
(() => {
  /** Most unread bytes to keep, until bufferSize() changes it: a sketch may never read. */
  const BUFFER_SIZE = 1 << 20;
  /** Most bytes in one message: longer writes are sent in pieces, which --max-message lets through. */
  const MAX_PIECE = 1 << 14;

  /** The names that open() takes in p5.webserial. Here the operator has chosen the board. */
  const PRESETS = {
    Adafruit: [{ usbVendorId: 0x239a }],
    Arduino: [{ usbVendorId: 0x2341 }, { usbVendorId: 0x2a03 }],
    MicroPython: [{ usbVendorId: 0x2e8a }, { usbVendorId: 0xf055 }],
    RaspberryPi: [{ usbVendorId: 0x2e8a }],
  };

  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const library = load();

  /** What usedSerialPorts() returns: the first port of serial-ws, which needs no choosing. */
  class UsedPort {
    getInfo() {
      return {};
    }
  }

  class WebSerial {
    presets = PRESETS;
    #unread = new Unread();
    /** What open() was last called for, until close(). */
    #wanted;
    #serial;
    /** The end of the long write that is going out, if there is one. */
    #sending;

    /**
     * Connects. Takes what p5.webserial takes: a preset, filters or a used port, then a baud rate or
     * options; serial-ws has chosen the port and its settings. Also takes the address of a port.
     */
    open(...given) {
      // Not awaited, so a wrong argument does not end setup(): p5.webserial reports it the same way.
      this.#open(given);
    }

    /** True while data can arrive. */
    opened() {
      return this.#serial?.opened ?? false;
    }

    close() {
      this.#serial?.close();
      this.#serial = this.#wanted = undefined;
    }

    stop() {
      this.close();
    }

    /** The number of unread characters. One whose last byte has not arrived yet does not count. */
    available() {
      return this.#unread.characters;
    }

    availableBytes() {
      return this.#unread.bytes.length;
    }

    /** Sets how many unread bytes are kept; when more arrive, the oldest are dropped. */
    bufferSize(size) {
      this.#unread.resize(size);
    }

    clear() {
      this.#unread.take();
    }

    /** Returns at most `length` characters, or all that are complete. */
    read(length = Infinity) {
      const bytes = this.#unread.bytes;
      let missing = 0, count = 0, end = 0;
      const start = beginning(bytes);
      for (let at = start; at < bytes.length && count < length; at++) {
        missing = (width(bytes[at]) || missing) - 1;
        if (missing <= 0) [count, end] = [count + 1, at + 1];
      }
      return decoder.decode(this.#unread.take(end).subarray(start));
    }

    /** Returns the text up to and including `needle`, or "" if it has not arrived yet. */
    readUntil(needle) {
      const bytes = this.readArrayBufferUntil(needle);
      return decoder.decode(bytes.subarray(beginning(bytes)));
    }

    /** The name of readUntil() in Processing. */
    readStringUntil(needle) {
      return this.readUntil(needle);
    }

    /** Returns at most `length` bytes, or all of them, as a Uint8Array. */
    readArrayBuffer(length) {
      return this.#unread.take(length);
    }

    readArrayBufferUntil(needle) {
      return this.#unread.take(this.#unread.end(sequence(needle)));
    }

    /** Returns the same as an array of numbers. */
    readBytes(length) {
      return [...this.readArrayBuffer(length)];
    }

    readBytesUntil(needle) {
      return [...this.readArrayBufferUntil(needle)];
    }

    /** Returns the oldest byte, or null. */
    readByte() {
      return this.readArrayBuffer(1)[0] ?? null;
    }

    /** Returns the newest complete character, and discards all before it. */
    last() {
      const bytes = this.#unread.bytes;
      const at = bytes.findLastIndex((byte, at) => width(byte) > 0 && at + width(byte) <= bytes.length);
      if (at < 0) return "";
      return decoder.decode(this.#unread.take(at + width(bytes[at])).subarray(at));
    }

    /** The name of last() in Processing. */
    lastChar() {
      return this.last();
    }

    /** Returns the newest byte, or null, and discards the rest. */
    lastByte() {
      return this.#unread.take().at(-1) ?? null;
    }

    /**
     * Sends text, a number from 0 to 255 as one byte, an array of such numbers, or a buffer, exactly.
     * Resolves with true once it is written, and with false if it could not be.
     */
    async write(out) {
      const bytes = sequence(out, ArrayBuffer.isView(out) || out instanceof ArrayBuffer);
      try {
        if (!this.opened()) throw new Error("the port is not open");
        await this.#send(bytes);
        return true;
      } catch ({ message }) {
        console.warn(`serial-ws: not written: ${message}`);
        return false;
      }
    }

    print(out) {
      return this.write(String(out));
    }

    println(out = "") {
      return this.write(`${out}\r\n`);
    }

    /** Sets Data Terminal Ready, which resets many boards. */
    dtr(on) {
      return this.#signal("dtr", on);
    }

    /** Sets Request To Send. */
    rts(on) {
      return this.#signal("rts", on);
    }

    async #open(given) {
      const url = given.find(isAddress);
      const baud = baudRate(given.filter((value) => !isAddress(value)));
      // It reconnects by itself, so a sketch may call this as often as it likes.
      if (this.#wanted && this.#wanted.url === url && this.#serial?.status.state !== "mistake") return;
      this.close();
      const wanted = this.#wanted = { url };
      await library;
      // Meanwhile it may have been closed, or opened with another address.
      if (this.#wanted !== wanted) return;
      this.#serial = new SerialWs(url, { data: "chunks" })
        .on("data", (bytes) => this.#unread.add(bytes))
        .on("open", ({ port }) => compare(baud, port.settings.baud))
        .on("status", ({ detail, hint }) => console.info(`serial-ws: ${[detail, hint].filter(Boolean).join(". ")}`));
    }

    /** Sends a long write piece by piece. What is written meanwhile waits for the last piece. */
    #send(bytes) {
      const serial = this.#serial;
      if (!this.#sending && bytes.length <= MAX_PIECE) return serial.write(bytes);
      const send = async () => {
        for (let at = 0; at < bytes.length; at += MAX_PIECE) await serial.write(bytes.subarray(at, at + MAX_PIECE));
      };
      const sent = Promise.resolve(this.#sending).then(send);
      const sending = sent.catch(() => {}).then(() => {
        if (this.#sending === sending) this.#sending = undefined;
      });
      this.#sending = sending;
      return sent;
    }

    async #signal(line, on) {
      if (on === undefined) throw new Error(`${line}() expects true or false`);
      if (!this.opened()) throw new Error(`${line}() is not set: the port is not open`);
      await this.#serial.signals({ [line]: Boolean(on) });
    }
  }

  /** The bytes that have arrived and were not read yet. */
  class Unread {
    #limit = BUFFER_SIZE;
    #buffer = new Uint8Array(1024);
    #start = 0;
    #end = 0;
    /** The number of bytes with which a character begins. */
    #beginnings = 0;
    #overflowed = false;

    get bytes() {
      return this.#buffer.subarray(this.#start, this.#end);
    }

    /** The number of characters, without one whose end has not arrived. */
    get characters() {
      const newest = this.bytes.subarray(-3);
      return this.#beginnings - newest.filter((byte, at) => at + width(byte) > newest.length).length;
    }

    add(bytes) {
      const length = this.#end - this.#start + bytes.length;
      if (this.#end + bytes.length > this.#buffer.length) {
        const { bytes: unread } = this;
        // Twice the length that is needed, so that most chunks cause no copy.
        this.#buffer = new Uint8Array(2 * length);
        this.#buffer.set(unread);
        this.#start = 0;
        this.#end = unread.length;
      }
      this.#buffer.set(bytes, this.#end);
      this.#end += bytes.length;
      this.#beginnings += beginnings(bytes);
      this.#trim();
    }

    resize(size) {
      if (!(size >= 0)) throw new RangeError("bufferSize() expects a number of bytes");
      this.#limit = size;
      this.#trim();
    }

    /** Removes and returns the oldest `length` bytes, or all of them. */
    take(length = Infinity) {
      const bytes = this.bytes.slice(0, Math.max(0, length));
      this.#start += bytes.length;
      this.#beginnings -= beginnings(bytes);
      if (bytes.length > 0) this.#overflowed = false;
      return bytes;
    }

    /** Returns the index after the first `needle`, or 0. */
    end(needle) {
      const bytes = this.bytes;
      if (needle.length === 0) return 0;
      for (let at = bytes.indexOf(needle[0]); at >= 0; at = bytes.indexOf(needle[0], at + 1)) {
        if (needle.every((byte, index) => bytes[at + index] === byte)) return at + needle.length;
      }
      return 0;
    }

    #trim() {
      const excess = this.bytes.length - this.#limit;
      if (excess <= 0) return;
      const warned = this.#overflowed;
      this.take(Math.ceil(excess));
      this.#overflowed = true;
      if (!warned) console.warn(`serial-ws: the oldest unread bytes are dropped: read more often, or keep more than ${this.#limit} with bufferSize()`);
    }
  }

  /** Returns how many bytes a character has that begins with `byte`; 0 if none begins with it. */
  function width(byte) {
    if (byte < 0x80) return 1;
    if (byte < 0xc0 || byte >= 0xf8) return 0;
    return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  }

  function beginnings(bytes) {
    let count = 0;
    for (const byte of bytes) if (width(byte) > 0) count++;
    return count;
  }

  /** Returns the index of the first character: what comes before it is the rest of another one. */
  function beginning(bytes) {
    const at = bytes.findIndex((byte) => width(byte) > 0);
    return at < 0 ? bytes.length : at;
  }

  /** Returns the bytes of text, a byte, an array of bytes, or a Uint8Array; with `isBuffer`, of any buffer. */
  function sequence(value, isBuffer = value instanceof Uint8Array) {
    if (typeof value === "string") return encoder.encode(value);
    if (isBuffer) return new Uint8Array(value.buffer ?? value, value.byteOffset, value.byteLength);
    const bytes = Array.isArray(value) ? [...value] : [value];
    if (bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) return Uint8Array.from(bytes);
    throw new TypeError("expected text, a whole number from 0 to 255, an array of such numbers, or a buffer; send other numbers as text: String(1023)");
  }

  /** Returns the baud rate among the arguments of open(). Throws for those that p5.webserial does not take. */
  function baudRate(given) {
    const [port, options] = given;
    if (given.length > 0 && !["object", "string", "number"].includes(typeof port)) {
      throw new TypeError(`open(): unexpected first argument: ${String(port)}`);
    }
    if (typeof port === "string" && !Object.hasOwn(PRESETS, port)) {
      throw new TypeError(`open(): unknown preset "${port}" (known: ${Object.keys(PRESETS).join(", ")})`);
    }
    if (given.length > 1 && !["object", "number"].includes(typeof options)) {
      throw new TypeError(`open(): unexpected second argument: ${String(options)}; a baud rate is a number: 9600`);
    }
    return given.find((value) => typeof value === "number") ?? options?.baudRate;
  }

  /** Explains why garbage may arrive: the rate is that of serial-ws, whatever the sketch asks for. */
  function compare(wanted, actual) {
    if (wanted === undefined || wanted === actual) return;
    console.info(`serial-ws: this sketch asks for ${wanted} baud, and serial-ws uses ${actual}. If garbage arrives, start it with --baud ${wanted}`);
  }

  function isAddress(value) {
    return typeof value === "string" && /^(\/|(ws|http)s?:)/.test(value);
  }

  /** Loads serial-ws.js from beside this file, unless the page has loaded it. */
  function load() {
    if (globalThis.SerialWs) return;
    const source = globalThis.document?.currentScript?.src;
    if (!source) throw new Error("serial-ws-p5.js needs serial-ws.js: load it first");
    const script = document.createElement("script");
    script.src = new URL("serial-ws.js", source).href;
    document.head.append(script);
    return new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${script.src} does not load: is serial-ws running?`));
    });
  }

  /** Also works without `new`: p5 2 wraps the functions of its prototype, and calls them like that. */
  function construct() {
    return new WebSerial();
  }
  construct.prototype = WebSerial.prototype;

  const usedPorts = [new UsedPort()];
  // p5 makes these global. Without p5 they are global at once.
  Object.assign(globalThis.p5?.prototype ?? globalThis, {
    WebSerial: construct,
    createSerial: construct,
    usedSerialPorts: () => usedPorts,
  });
})();
