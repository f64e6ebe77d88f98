// What the Web Platform Tests of Web Serial assert, one case of our own for each assertion, against web-serial.js with
// the real program. docs/web-serial.md lists the same names, with those that do not hold.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { board, launch, root, start, until } from "./support.mjs";

/** Each case runs in the page with `port`, which is closed, and `serial`. It returns true where the assertion holds. */
const CASES = {
  "open(): a port that is open, or is being opened, cannot be opened": `
    const first = port.open({ baudRate: 9600 });
    return await name(port.open({ baudRate: 9600 })) === "InvalidStateError" && (await first, await name(port.open({ baudRate: 9600 }))) === "InvalidStateError"`,
  "open(): baudRate is required and greater than zero": `return await allFail([{}, { baudRate: -1 }, { baudRate: 0 }])`,
  "open(): dataBits is 7 or 8": `return await allFail(with9600("dataBits", [-1, 0, 6, 9])) && await allOpen(with9600("dataBits", [undefined, 7, 8]))`,
  "open(): parity is none, even or odd": `return await allFail(with9600("parity", [0, null, "cats"])) && await allOpen(with9600("parity", [undefined, "none", "even", "odd"]))`,
  "open(): stopBits is 1 or 2": `return await allFail(with9600("stopBits", [-1, 0, 3, 4])) && await allOpen(with9600("stopBits", [undefined, 1, 2]))`,
  "open(): bufferSize is greater than zero and not unreasonable": `return await allFail(with9600("bufferSize", [-1, 0, 1 << 30]))`,
  "close(): a port that was never opened, is closed or is being closed cannot be closed": `
    const never = await name(port.close());
    await port.open({ baudRate: 9600 });
    const closing = port.close();
    const twice = await name(port.close());
    await closing;
    return [never, twice, await name(port.close())].every((error) => error === "InvalidStateError")`,
  "forget(): open() rejects with a NetworkError after it": `await port.forget(); return await name(port.open({ baudRate: 9600 })) === "NetworkError"`,
  "forget(): close(), setSignals() and getSignals() reject after it": `
    await port.open({ baudRate: 9600 });
    await port.forget();
    const errors = [await name(port.close()), await name(port.setSignals()), await name(port.getSignals())];
    return errors.every((error) => error === "InvalidStateError")`,
  "forget(): getPorts() has it no more": `await port.forget(); return (await serial.getPorts()).length === 0`,
  "getInfo(): a port that is not USB has an empty object": `return JSON.stringify(port.getInfo()) === "{}"`,
  "getPorts(): the same objects every time, of SerialPort": `const [[a], [b]] = [await serial.getPorts(), await serial.getPorts()]; return a === b && a instanceof SerialPort`,
  "setSignals() and getSignals() reject if the port is not open": `return await name(port.setSignals({})) === "InvalidStateError" && await name(port.getSignals()) === "InvalidStateError"`,
  "setSignals(): without a member it is a TypeError": `await port.open({ baudRate: 9600 }); return await name(port.setSignals()) === "TypeError" && await name(port.setSignals({})) === "TypeError"`,
  "setSignals() and getSignals() reject with a NetworkError where the device fails": `
    await port.open({ baudRate: 9600 });
    return await name(port.setSignals({ requestToSend: false })) === "NetworkError" && await name(port.getSignals()) === "NetworkError"`,
  "readable: set by open(), null and ended after close()": `
    const before = port.readable;
    await port.open({ baudRate: 9600 });
    const { readable } = port;
    await port.close();
    const { done, value } = await readable.getReader().read();
    return before === null && readable instanceof ReadableStream && port.readable === null && done && value === undefined`,
  "readable: a locked one keeps close() from closing": `
    await port.open({ baudRate: 9600 });
    const reader = port.readable.getReader();
    const error = await name(port.close());
    reader.releaseLock();
    await port.close();
    return error === "TypeError" && port.readable === null`,
  "readable: can be cancelled while reading, and the port closed meanwhile": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const reader = port.readable.getReader();
    const closed = reader.read().then(async ({ done }) => { reader.releaseLock(); await port.close(); return done; });
    await reader.cancel();
    return await closed && port.readable === null`,
  "readable: cancel() discards what waits": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    await send("first, then what is discarded");
    const first = port.readable.getReader({ mode: "byob" });
    const { value } = await first.read(new Uint8Array(5));
    await first.cancel();
    const reader = port.readable.getReader();
    await send("after");
    return decode(value) === "first" && await read(reader, 5) === "after"`,
  "readable: a small and a large amount of data": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const reader = port.readable.getReader();
    await send("12345678");
    const small = await read(reader, 8);
    await send("abcdefgh".repeat(128));
    const large = await read(reader, 1024);
    return small === "12345678" && large === "abcdefgh".repeat(128)`,
  "readable: buffers of the page, in subsets and over several reads": `
    await port.open({ baudRate: 9600, bufferSize: 1024 });
    const reader = port.readable.getReader({ mode: "byob" });
    await send("abcdefgh".repeat(128));
    let text = "", size = true;
    while (text.length < 1024) {
      const { value } = await reader.read(new Uint8Array(new ArrayBuffer(512)));
      size &&= value.buffer.byteLength === 512;
      text += decode(value);
    }
    return size && reader instanceof ReadableStreamBYOBReader && text === "abcdefgh".repeat(128)`,
  "readable: through a transform stream, whose end is seen": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const decoder = new TextDecoderStream();
    const piped = port.readable.pipeTo(decoder.writable);
    const reader = decoder.readable.pipeThrough(new TransformStream()).pipeThrough(new TransformStream()).getReader();
    await send("Hello world!");
    let text = "";
    while (text.length < 12) text += (await reader.read()).value;
    await reader.cancel("arbitrary");
    const reason = await piped.catch((reason) => reason);
    await port.close();
    return text === "Hello world!" && reason === "arbitrary"`,
  "writable: set by open(), null and unusable after close()": `
    const before = port.writable;
    await port.open({ baudRate: 9600 });
    const { writable } = port;
    await port.close();
    return before === null && writable instanceof WritableStream && port.writable === null && await name(writable.getWriter().write(new Uint8Array(8))) === "InvalidStateError"`,
  "writable: a locked one keeps close() from closing": `
    await port.open({ baudRate: 9600 });
    const writer = port.writable.getWriter();
    const error = await name(port.close());
    writer.releaseLock();
    await port.close();
    return error === "TypeError" && port.writable === null`,
  "writable: a small and a large amount of data, also with a released writer": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const writer = port.writable.getWriter();
    const written = writer.write(encode("12345678"));
    writer.write(encode("abcdefgh".repeat(128)));
    writer.releaseLock();
    await written;
    return await received("12345678" + "abcdefgh".repeat(128))`,
  "writable: abort() makes a new stream, and discards what was written before": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const first = port.writable, writer = first.getWriter();
    await writer.write(encode("discarded"));
    await writer.abort();
    const isNew = port.writable !== first;
    const next = port.writable.getWriter();
    await next.write(encode("kept"));
    next.releaseLock();
    return isNew && await received("kept")`,
  "writable: abort() waits for no write, whose reason it is, and the port can be closed meanwhile": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const writer = port.writable.getWriter();
    const closed = writer.write(new Uint8Array(100000)).catch(async (reason) => { writer.releaseLock(); await port.close(); return reason; });
    await writer.abort("Aborting.");
    return await closed === "Aborting." && port.writable === null`,
  "writable: close() waits until everything was written": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const first = port.writable, writer = first.getWriter();
    writer.write(encode("abcdefgh".repeat(128)));
    await writer.close();
    return port.writable !== first && await received("abcdefgh".repeat(128))`,
  "writable: a stream can be piped to it, also through a chain": `
    await port.open({ baudRate: 9600 });
    const chain = new TransformStream();
    const piped = chain.readable.pipeThrough(new TextEncoderStream()).pipeThrough(new TransformStream()).pipeTo(port.writable);
    const writer = chain.writable.getWriter();
    await writer.write("Hello world!");
    await writer.close();
    await piped;
    await port.close();
    return port.writable === null && await received("Hello world!")`,
  "writable: a buffer that was detached is empty": `
    await port.open({ baudRate: 9600, bufferSize: 64 });
    const writer = port.writable.getWriter();
    const [empty, large] = [new Uint8Array(64), new Uint8Array(1024)];
    new MessageChannel().port1.postMessage("", [empty.buffer]);
    await writer.write(empty);
    const written = writer.write(large);
    await received("\\0".repeat(100));
    new MessageChannel().port1.postMessage("", [large.buffer]);
    await written;
    return true`,
  "writable: what is no buffer is a TypeError": `
    await port.open({ baudRate: 9600 });
    const writer = port.writable.getWriter();
    return await name(writer.write("text")) === "TypeError" && port.writable.locked === false`,
  "events: capturing and bubbling reach the port and serial in order, with its target": `
    const seen = [];
    for (const target of [serial, port]) {
      target.addEventListener("foo", (event) => seen.push("bubbling " + target.constructor.name + (event.target === port)));
      target.addEventListener("foo", (event) => seen.push("capturing " + target.constructor.name + (event.target === port)), { capture: true });
    }
    port.dispatchEvent(new CustomEvent("foo", { bubbles: true }));
    return seen.join() === "capturing Serialtrue,capturing SerialPorttrue,bubbling SerialPorttrue,bubbling Serialtrue"`,
  "events: stopPropagation() and cancelBubble work while capturing and while bubbling": `
    const seen = [];
    serial.addEventListener("a", (event) => { seen.push("serial"); event.stopPropagation(); }, { capture: true });
    port.addEventListener("a", () => seen.push("port"));
    port.addEventListener("b", (event) => { seen.push("port"); event.cancelBubble = true; });
    serial.addEventListener("b", () => seen.push("serial"));
    for (const type of ["a", "b"]) port.dispatchEvent(new CustomEvent(type, { bubbles: true }));
    return seen.join() === "serial,port"`,
  "events: one that a handler dispatches goes first": `
    const seen = [];
    serial.addEventListener("foo", () => { seen.push("foo serial"); port.dispatchEvent(new CustomEvent("bar", { bubbles: true })); }, { capture: true });
    port.addEventListener("foo", () => seen.push("foo port"), { capture: true });
    for (const [target, name] of [[serial, "serial"], [port, "port"]]) target.addEventListener("bar", () => seen.push("bar " + name));
    port.dispatchEvent(new CustomEvent("foo", { bubbles: true }));
    return seen.join() === "foo serial,bar port,bar serial,foo port"`,
  "interfaces: Serial and SerialPort cannot be constructed, and are event targets": `
    const fails = (Class) => { try { new Class(); } catch (error) { return error instanceof TypeError; } };
    return [Serial, SerialPort].every(fails) && serial instanceof EventTarget && port instanceof EventTarget && String(serial) === "[object Serial]"`,
};

/** Those that do not hold, on purpose. */
const EXCEPTIONS = new Set(["writable: abort() makes a new stream, and discards what was written before"]);

let browser;
before(async () => { browser = await launch(["--disable-blink-features=Serial"]); });
after(() => browser.close());

test("each assertion holds, but for those that the document excepts", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const outcomes = [];
  for (const [name, body] of Object.entries(CASES)) {
    const page = await (await browser.newContext()).newPage();
    await page.exposeFunction("send", (text) => uno.send(text));
    await page.exposeFunction("arrived", () => uno.received);
    await page.goto(`${bridge.url}/healthz`);
    await page.addScriptTag({ url: `${bridge.url}/web-serial.js` });
    await page.evaluate(() => {
      document.body.innerHTML = "<button>Connect</button>";
      document.querySelector("button").onclick = () => { window.chosen = navigator.serial.requestPort(); };
    });
    await page.click("button");
    await page.locator("dialog[open] label", { hasText: "uno" }).locator("input").check();
    await page.locator("dialog[open]").getByRole("button", { name: "Connect" }).click();
    uno.received = "";
    const holds = await page.evaluate(async (body) => {
      const { serial } = navigator, port = await window.chosen;
      const tools = {
        name: (promise) => promise.then(() => "none", (error) => error.name),
        with9600: (key, values) => values.map((value) => ({ baudRate: 9600, [key]: value })),
        allFail: async (all) => (await Promise.all(all.map((options) => tools.name(port.open(options))))).every((error) => error === "TypeError"),
        allOpen: async (all) => { for (const options of all) { await port.open(options); await port.close(); } return true; },
        encode: (text) => new TextEncoder().encode(text),
        decode: (bytes) => new TextDecoder().decode(bytes),
        read: async (reader, length) => { let all = ""; while (all.length < length) all += tools.decode((await reader.read()).value); return all; },
        received: async (text) => { for (;;) { const all = await arrived(); if (all.length >= text.length) return all === text; await new Promise((resolve) => setTimeout(resolve, 20)); } },
      };
      const run = new Function("serial", "port", ...Object.keys(tools), `return (async () => { ${body} })()`);
      return await Promise.race([run(serial, port, ...Object.values(tools)), new Promise((resolve) => setTimeout(resolve, 15000, "waited"))]).catch(String);
    }, body);
    outcomes.push([name, holds]);
    await page.context().close();
    // Others would not be alone with the port.
    await until("the page to be gone", async () => (await (await fetch(`${bridge.url}/api/status`)).json()).clients === 0);
  }
  const failed = outcomes.filter(([name, holds]) => (holds !== true) !== EXCEPTIONS.has(name));
  assert.deepEqual(failed, []);
  const document = readFileSync(join(root, "docs/web-serial.md"), "utf8");
  for (const [name, holds] of outcomes) assert.ok(document.includes(`| ${name} | ${holds === true ? "yes" : "no"} |`), `docs/web-serial.md has no row for: ${name} ${holds}`);
});
