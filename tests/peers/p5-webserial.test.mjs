// p5.webserial and serial-ws-p5.js, side by side: the same bytes and the same calls, the same results.
//
// needs npm: @gohai/p5.webserial@^1
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { opening, reading, writing } from "../browser/p5-webserial.mjs";
import { folder } from "./support.mjs";

const theirs = join(folder("p5-webserial"), "node_modules/@gohai/p5.webserial/libraries/p5.webserial.js");
const ours = new URL("../../web/serial-ws-p5.js", import.meta.url);

/** What pages have and both files use, in a world of its own. */
function world(file, also) {
  const context = { TextEncoder, TextDecoder, URL, console: { ...console, log() {}, info() {}, warn() {}, error() {} }, ...also };
  context.window = context;
  createContext(context);
  // Arrays and buffers are those of the context, so what is sent is made there too.
  runInContext("p5 = function () {}", context);
  runInContext(readFileSync(file, "utf8"), context);
  runInContext("createSerial = p5.prototype.createSerial; usedSerialPorts = p5.prototype.usedSerialPorts; port = createSerial()", context);
  const evaluate = (code) => runInContext(`(async () => { try { return ${code}; } catch (error) { return error.name; } })()`, context);
  return { context, evaluate };
}

/** p5.webserial with a serial port of Web Serial that the test feeds. */
function original() {
  const written = [];
  const signals = [];
  class SerialPort {
    readable = null;
    writable = null;
    async open() {
      this.readable = new ReadableStream({ start: (controller) => { this.controller = controller; } });
      this.writable = new WritableStream({ write: (chunk) => { written.push(...new Uint8Array(chunk.buffer ?? chunk, chunk.byteOffset, chunk.byteLength)); } });
    }
    async close() {}
    async setSignals(change) {
      signals.push(...Object.entries(change).map(([line, on]) => [{ dataTerminalReady: "dtr", requestToSend: "rts" }[line], on]));
    }
  }
  const device = new SerialPort();
  const serial = { getPorts: async () => [device], requestPort: async () => device };
  const it = world(theirs, { SerialPort, navigator: { serial }, SerialWs: undefined });
  return { ...it, written, signals, feed: (bytes) => device.controller.enqueue(bytes) };
}

/** serial-ws-p5.js with a client library that the test feeds. */
function replacement() {
  const written = [];
  const signals = [];
  let handlers = {};
  class SerialWs {
    opened = true;
    status = { state: "open" };
    constructor() {
      handlers = {};
    }
    on(event, handler) {
      handlers[event] = handler;
      return this;
    }
    async write(bytes) {
      written.push(...bytes);
    }
    async signals(change) {
      signals.push(...Object.entries(change));
    }
    close() {}
  }
  const it = world(ours, { SerialWs });
  return { ...it, written, signals, feed: (bytes) => handlers.data(bytes) };
}

/** Both of them, open. */
async function both() {
  const sides = [original(), replacement()];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  for (const { evaluate } of sides) await evaluate("port.open(usedSerialPorts()[0], 9600)");
  await turn();
  return {
    sides,
    async feed(sent) {
      const bytes = Buffer.from(sent);
      for (const { context, feed } of sides) feed(runInContext(`Uint8Array.of(${[...bytes]})`, context));
      await turn();
    },
    /** Returns the results of both as JSON, in which a Uint8Array differs from an array. */
    async call(code) {
      const results = [];
      for (const { evaluate } of sides) results.push(JSON.stringify(await evaluate(code)) ?? "undefined");
      return results;
    },
  };
}

test("what the table says of reading is true of p5.webserial", async () => {
  for (const [name, steps] of Object.entries(reading)) {
    const { feed, call } = await both();
    for (const [sent, code, expected] of steps) {
      if (sent.length > 0) await feed(sent);
      const result = JSON.stringify(expected === TypeError ? "TypeError" : expected) ?? "undefined";
      assert.deepEqual(await call(`port.${code}`), [result, result], `${name}: ${code}`);
    }
  }
});

test("what the table says of writing is true of p5.webserial", async () => {
  const { sides, call } = await both();
  for (const [argument, expected] of writing) {
    for (const { written } of sides) written.length = 0;
    const result = expected === TypeError ? '"TypeError"' : "true";
    assert.deepEqual(await call(`await port.write(${argument})`), [result, result], argument);
    for (const { written } of sides) assert.deepEqual(written, expected === TypeError ? [] : expected, argument);
  }
  for (const line of ["dtr", "rts"]) {
    for (const on of ["true", "false", "1", "0", "null", ""]) {
      const [theirs, ours] = await call(`await port.${line}(${on})`);
      assert.equal(ours, theirs, `${line}(${on})`);
    }
  }
  assert.deepEqual(sides[1].signals, sides[0].signals);
});

test("what the table says of open() is true of p5.webserial", async () => {
  const rejections = [];
  // The test runner would count them as failures.
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", (reason) => rejections.push(reason.name));
  for (const [argument, fits] of opening) {
    for (const side of [original(), replacement()]) {
      rejections.length = 0;
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(await side.evaluate(`port.open(${argument})`), undefined);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(rejections, fits ? [] : ["TypeError"], argument);
    }
  }
  process.removeAllListeners("unhandledRejection");
  for (const listener of listeners) process.on("unhandledRejection", listener);
});

/** Numbers that look random and are the same in each run: Numerical Recipes' generator. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Text that never repeats the beginning of a needle: p5.webserial does not find "\r\n" in "\r\r\n". */
const PIECES = ["a", "12", "\n", "\r\n", "é", "°", "你", "😀", ",", ";"];
const NEEDLES = ["'\\n'", "'\\r\\n'", "';'", "10", "[13, 10]", "Uint8Array.of(44)", "''", "'none'"];

test("a random series of chunks and calls has the same results in both", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const number = numbers(seed);
    const pick = (list) => list[number(list.length)];
    const { feed, call } = await both();
    const done = [];
    let rest = Buffer.alloc(0);
    for (let step = 0; step < 60; step++) {
      let bytes;
      if (rest.length === 0 && number(4) === 0) {
        bytes = Buffer.from(Array.from({ length: number(5) }, () => 128 + number(128)));
      } else {
        // Cut anywhere, also within a character; the rest comes with the next chunk.
        const text = Buffer.concat([rest, Buffer.from(Array.from({ length: number(6) }, () => pick(PIECES)).join(""))]);
        const end = Math.max(0, text.length - number(4));
        [bytes, rest] = [text.subarray(0, end), text.subarray(end)];
      }
      if (bytes.length > 0) await feed(bytes);
      const code = `port.${pick([
        "read()", `read(${number(4)})`, "available()", "availableBytes()", "last()", "lastByte()", "readByte()", "readBytes()", `readBytes(${number(4)})`,
        `readArrayBuffer(${number(4)})`, `readUntil(${pick(NEEDLES)})`, `readBytesUntil(${pick(NEEDLES)})`, `readArrayBufferUntil(${pick(NEEDLES)})`, "clear()", `bufferSize(${8 + number(40)})`,
      ])}`;
      done.push([[...bytes], code]);
      const [theirs, ours] = await call(code);
      assert.equal(ours, theirs, `seed ${seed}: ${JSON.stringify(done)}`);
      const [left, kept] = await call("port.availableBytes()");
      assert.equal(kept, left, `seed ${seed}: ${JSON.stringify(done)}`);
    }
  }
});
