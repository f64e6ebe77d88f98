// The calls that p5.webserial taught people, for sketches that were written for it. Needs serial-ws.js.
(() => {
  /** Bytes that wait to be read; the oldest go first, so that a sketch that does not read stays small. */
  const MOST_WAITING = 1 << 20;

  class SerialPort {
    #serial;
    #waiting = new Uint8Array(0);

    /** Takes a rate or options too, which the bridge has set already, or an address: "ws://localhost:8080/ports/uno". */
    open(...given) {
      if (this.#serial) return this.#serial.open();
      const url = given.find((value) => typeof value === "string" && /^(ws|http)s?:/.test(value));
      this.#serial = new SerialWs(url, { data: "chunks" })
        .on("data", (bytes) => this.#take(bytes))
        .on("status", ({ detail, hint }) => console.info(`serial-ws: ${detail}${hint ? `. ${hint}` : ""}`));
    }

    /** Whether the board can be heard now. */
    opened() {
      return this.#serial?.opened ?? false;
    }

    close() {
      this.#serial?.close();
    }

    stop() {
      this.close();
    }

    /** The number of bytes that wait to be read. */
    available() {
      return this.#waiting.length;
    }

    clear() {
      this.#waiting = new Uint8Array(0);
    }

    /** So many bytes as text, or all. */
    read(length) {
      return text(this.#cut(length));
    }

    readBytes(length) {
      return [...this.#cut(length)];
    }

    readByte() {
      return this.#cut(1)[0] ?? null;
    }

    /** Up to this text and with it, or nothing as long as it has not come. */
    readUntil(needle) {
      return text(this.#cut(this.#end(needle)));
    }

    readBytesUntil(needle) {
      return [...this.#cut(this.#end(needle))];
    }

    /** The newest character; the others are forgotten. */
    last() {
      return text(this.#cut().slice(-1));
    }

    lastByte() {
      return this.#cut().at(-1) ?? null;
    }

    /** Text as it is, a number from 0 to 255 as one byte, several of them as bytes. */
    write(out) {
      if (!this.opened()) {
        console.warn("serial-ws: not written, because the port is not open");
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
      const all = new Uint8Array(this.#waiting.length + bytes.length);
      all.set(this.#waiting);
      all.set(bytes, this.#waiting.length);
      this.#waiting = all.slice(-MOST_WAITING);
    }

    #cut(length = this.#waiting.length) {
      const cut = this.#waiting.subarray(0, length);
      this.#waiting = this.#waiting.subarray(cut.length);
      return cut;
    }

    /** Where a text or byte ends, or 0. */
    #end(needle) {
      const sought = typeof needle === "number" ? [needle] : new TextEncoder().encode(needle);
      for (let at = 0; at + sought.length <= this.#waiting.length; at++) {
        if (sought.every((byte, index) => this.#waiting[at + index] === byte)) return at + sought.length;
      }
      return 0;
    }
  }

  function text(bytes) {
    return new TextDecoder().decode(bytes);
  }

  globalThis.createSerial = () => new SerialPort();
  // The port needs no click to be chosen, so there is always one that was used before.
  globalThis.usedSerialPorts = () => ["the port of serial-ws"];
})();
