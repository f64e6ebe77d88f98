// The methods of p5.webserial, for sketches written for it. Requires serial-ws.js.
(() => {
  /** Most unread bytes to keep. Beyond it the oldest are dropped: a sketch may never read. */
  const MAX_UNREAD = 1 << 20;

  class SerialPort {
    #serial;
    #unread = new Uint8Array(0);

    /** Connects. Takes an address; ignores a baud rate and options, since serial-ws sets those. */
    open(...given) {
      if (this.#serial) return this.#serial.open();
      const url = given.find((value) => typeof value === "string" && /^(ws|http)s?:/.test(value));
      this.#serial = new SerialWs(url, { data: "chunks" })
        .on("data", (bytes) => this.#take(bytes))
        .on("status", ({ detail, hint }) => console.info(`serial-ws: ${detail}${hint ? `. ${hint}` : ""}`));
    }

    /** True while data can arrive. */
    opened() {
      return this.#serial?.opened ?? false;
    }

    close() {
      this.#serial?.close();
    }

    stop() {
      this.close();
    }

    /** The number of unread bytes. */
    available() {
      return this.#unread.length;
    }

    clear() {
      this.#unread = new Uint8Array(0);
    }

    /** Returns at most `length` bytes as text, or all of them. */
    read(length) {
      return text(this.#consume(length));
    }

    readBytes(length) {
      return [...this.#consume(length)];
    }

    readByte() {
      return this.#consume(1)[0] ?? null;
    }

    /** Returns the text up to and including `needle`, or "" if it has not arrived yet. */
    readUntil(needle) {
      return text(this.#consume(this.#end(needle)));
    }

    readBytesUntil(needle) {
      return [...this.#consume(this.#end(needle))];
    }

    /** Returns the newest character and discards the rest. */
    last() {
      return text(this.#consume().slice(-1));
    }

    lastByte() {
      return this.#consume().at(-1) ?? null;
    }

    /** Sends text, a number from 0 to 255 as one byte, or several such numbers as bytes. */
    write(out) {
      if (!this.opened()) {
        console.warn("serial-ws: not written: the port is not open");
        return false;
      }
      this.#serial.write(out);
      return true;
    }

    print(out) {
      return this.write(String(out));
    }

    println(out) {
      return this.write(`${out}\r\n`);
    }

    #take(bytes) {
      const all = new Uint8Array(this.#unread.length + bytes.length);
      all.set(this.#unread);
      all.set(bytes, this.#unread.length);
      this.#unread = all.slice(-MAX_UNREAD);
    }

    #consume(length = this.#unread.length) {
      const bytes = this.#unread.subarray(0, length);
      this.#unread = this.#unread.subarray(bytes.length);
      return bytes;
    }

    /** Returns the index after the first `needle`, or 0. */
    #end(needle) {
      const wanted = typeof needle === "number" ? [needle] : new TextEncoder().encode(needle);
      for (let at = 0; at + wanted.length <= this.#unread.length; at++) {
        if (wanted.every((byte, index) => this.#unread[at + index] === byte)) return at + wanted.length;
      }
      return 0;
    }
  }

  function text(bytes) {
    return new TextDecoder().decode(bytes);
  }

  globalThis.createSerial = () => new SerialPort();
  // No click is needed to choose the port, so there is always a "used" one.
  globalThis.usedSerialPorts = () => ["the port of serial-ws"];
})();
