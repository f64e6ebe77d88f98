// The client library in a real browser, with the real program.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { board, proxy, launch, open, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** Opens an empty page of serial-ws. The browser would not treat a routed page as one of this computer. */
const blank = (t, url) => open(t, `${url}/healthz`);

/** Opens a page with the library from serial-ws, and records its events in `seen`. */
async function withLibrary(t, url, args = "") {
  const page = await blank(t, url);
  await page.addScriptTag({ url: `${url}/serial-ws.js` });
  await page.evaluate((args) => {
    window.seen = [];
    window.serial = new SerialWs(...JSON.parse(args));
    for (const name of ["line", "data", "json", "open", "close", "status", "missed", "error"]) {
      window.serial.on(name, (value) => window.seen.push([name, value instanceof Error ? value.message : value instanceof Uint8Array ? [...value] : value]));
    }
  }, `[${args}]`);
  return page;
}

const seen = (page, name) => page.evaluate((name) => window.seen.filter(([kind]) => kind === name).map(([, value]) => value), name);

async function onBoard(t, args) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await withLibrary(t, bridge.url, args);
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
  await uno.send("\n");
  return { uno, bridge, page };
}

test("it is under 7 kB compressed", () => {
  const size = gzipSync(readFileSync(join(root, "web/serial-ws.js")), { level: 9 }).length;
  assert.ok(size < 7000, `${size} bytes`);
});

test("lines and JSON arrive, from the address that the file was loaded from", async (t) => {
  const { uno, bridge, page } = await onBoard(t);
  await uno.send('hello\n{"x":1}\n');
  await until("two lines", async () => (await seen(page, "line")).includes('{"x":1}'));
  assert.deepEqual(await seen(page, "json"), [{ x: 1 }]);
  assert.equal(await page.evaluate(() => window.serial.last), '{"x":1}');
  assert.equal(await page.evaluate(() => window.serial.url), `${bridge.url.replace("http", "ws")}/`);
  // On a page from another server, it still connects to the serial-ws that it was loaded from.
  const other = await serve(t, root);
  const elsewhere = await open(t, `${other}/web/plain/lines.html`);
  await elsewhere.addScriptTag({ url: `${bridge.url}/serial-ws.js` });
  await elsewhere.evaluate(() => { window.serial = new SerialWs(); });
  await until("the port to be open", () => elsewhere.evaluate(() => window.serial.opened));
});

test("values arrive for a handler that is there when it connects, and for the option, and not otherwise", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await withLibrary(t, bridge.url);
  await page.evaluate(() => {
    window.values = [];
    window.listening = new SerialWs().on("values", (values, { seq }) => window.values.push([values, seq]));
    window.asking = new SerialWs({ values: true });
  });
  await until("all to be open", () => page.evaluate("[serial, listening, asking].every(({ opened }) => opened)"));
  assert.deepEqual(await page.evaluate("asking.values"), {});
  await uno.send("\nlight:80 temp:nan\nlog\n512,3\n");
  await until("the last line", () => page.evaluate("[serial, listening, asking].every(({ last }) => last === '512,3')"));
  const values = await page.evaluate("window.values");
  assert.deepEqual(values.map(([values]) => values), [{ light: 80, temp: null }, [512, 3]]);
  assert.equal(values[1][1] - values[0][1], 2);
  assert.deepEqual(await page.evaluate("asking.values"), [512, 3]);
  assert.deepEqual(await page.evaluate("serial.values"), {});
});

test("writes are acknowledged, and rejected ones give the reason", async (t) => {
  const { uno, page } = await onBoard(t);
  assert.deepEqual(await page.evaluate(() => window.serial.send("H\n")).then(({ bytes }) => bytes), 2);
  await page.evaluate(() => window.serial.write([0, 200, 255]));
  await until("the board to receive it", () => uno.received === "H\n\0\xc8\xff");
  await uno.unplug();
  await until("lost", async () => (await page.evaluate(() => window.serial.status.state)) === "lost");
  const rejection = await page.evaluate(() => window.serial.send("H").catch((error) => error.message));
  assert.match(rejection, /not open/);
  // An ignored promise causes an event, not an uncaught error.
  await page.evaluate(() => { window.serial.send("H"); });
  await until("the event", async () => (await seen(page, "error")).length >= 2);
  assert.ok((await seen(page, "status")).some(({ state, hint }) => state === "lost" && hint === "Plug it in again"));
});

test("bytes can be written in any form", async (t) => {
  const { uno, page } = await onBoard(t);
  const acknowledged = await page.evaluate(async () => {
    const { buffer } = Uint8Array.of(0, 1, 2, 3);
    const forms = [65, "H", [66, 67], buffer, new DataView(buffer, 1, 2), Uint16Array.of(0x4445), Uint8Array.of(70)];
    const answers = [];
    for (const form of forms) answers.push((await window.serial.write(form)).bytes);
    return answers;
  });
  assert.deepEqual(acknowledged, [1, 1, 2, 4, 2, 2, 1]);
  await until("the board to receive it", () => uno.received === "AHBC\0\x01\x02\x03\x01\x02EDF");
});

test("frames arrive decoded, and are written with what their framing adds", async (t) => {
  const bridge = await start(t, ["--port", "loop", "--frame", "slip"]);
  const page = await withLibrary(t, bridge.url);
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
  const bytes = await page.evaluate(async () => {
    window.frames = [];
    window.serial.on("frame", (frame) => window.frames.push([...frame]));
    const text = await window.serial.writeFrame("a,1");
    const binary = await window.serial.writeFrame(Uint8Array.of(0xc0, 1, 0xff));
    // Its escape is wrong, so it is no whole frame.
    await window.serial.write([0xdb, 1, 0xc0]);
    await window.serial.writeFrame([2]);
    return [text.bytes, binary.bytes];
  });
  assert.deepEqual(bytes, [5, 6]);
  await until("the last frame", () => page.evaluate("window.frames.length === 3"));
  assert.deepEqual(await page.evaluate("window.frames"), [[0x61, 0x2c, 0x31], [0xc0, 1, 0xff], [2]]);
  const refusal = await page.evaluate(() => window.serial.writeFrame([]).catch((error) => error.message));
  assert.match(refusal, /no frame of --frame slip: SLIP has no empty frames/);
});

test("a question gets its reply, while the lines are there for everybody", async (t) => {
  const { uno, page } = await onBoard(t);
  const asked = page.evaluate(() => window.serial.ask("*IDN?\n"));
  await until("the question", () => uno.received.endsWith("*IDN?\n"));
  await uno.send("ACME,42\r\nready\n");
  assert.equal(await asked, "ACME,42");
  await until("the lines", async () => (await seen(page, "line")).includes("ready"));
  assert.ok((await seen(page, "line")).includes("ACME,42"));
  const late = await page.evaluate(() => window.serial.ask("?\n", { timeout: 100 }).catch(({ code, message }) => [code, message]));
  assert.deepEqual(late, ["timeout", "no reply within 100 ms"]);
  const bytes = page.evaluate(() => window.serial.ask(new Uint8Array([1, 3]), { until: { bytes: 2 } }).then((reply) => [...reply]));
  await until("the bytes", () => uno.received.endsWith("\x01\x03"));
  await uno.send("\x01\x02");
  assert.deepEqual(await bytes, [1, 2]);
});

test("what is too long for a message is rejected, and the connection goes on", async (t) => {
  const { uno, page } = await onBoard(t);
  const results = await page.evaluate(async () => {
    const outcome = (promise) => promise.then(() => "written", (error) => error.message);
    const { maxMessage } = window.serial.hello;
    return [
      await outcome(window.serial.write(new Uint8Array(300000))),
      await outcome(window.serial.send("é".repeat(40000))),
      await outcome(window.serial.ask({ type: "write", text: 10n })),
      await outcome(window.serial.write(new Uint8Array(maxMessage).fill(97))),
      await outcome(window.serial.send("H")),
    ];
  });
  assert.match(results[0], /^not sent: 400\d{3} bytes as JSON are more than a message may have \(394240\)$/);
  assert.match(results[1], /^80000 bytes .* at most 65536$/);
  assert.match(results[2], /BigInt/);
  assert.deepEqual(results.slice(3), ["written", "written"]);
  assert.deepEqual(await seen(page, "close"), []);
  await until("all bytes", () => /^a{65536}H$/.test(uno.received));
});

test("a handler that throws keeps nothing from the others, and its error is seen", async (t) => {
  const { uno, page } = await onBoard(t);
  await until("the first line", async () => (await seen(page, "line")).length === 1);
  await page.evaluate(() => {
    window.uncaught = [];
    window.addEventListener("error", (event) => {
      window.uncaught.push(event.error.message);
      event.preventDefault();
    });
    window.others = [];
    for (const name of ["line", "json", "status", "error"]) {
      window.serial.on(name, () => { throw new Error(`a handler of ${name}`); });
      window.serial.on(name, () => window.others.push(name));
    }
  });
  await uno.send("1\n2\n");
  await until("two lines", () => page.evaluate(() => window.others.filter((name) => name === "json").length === 2));
  await page.evaluate(() => window.serial.send("x".repeat(70000)).catch(() => 0));
  await uno.unplug();
  await until("the loss", () => page.evaluate(() => window.others.includes("status")));
  assert.deepEqual(await page.evaluate(() => window.others), ["line", "json", "line", "json", "error", "status"]);
  assert.deepEqual(await page.evaluate(() => window.uncaught), await page.evaluate(() => window.others.map((name) => `a handler of ${name}`)));
});

test("it reconnects and resumes where it was; writes without a connection are rejected", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const link = await proxy(t, bridge.port);
  const page = await withLibrary(t, link.url);
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
  await uno.send("\n1\n");
  await until("a line", async () => (await seen(page, "line")).includes("1"));
  link.cut();
  await until("the close", async () => (await seen(page, "close")).length === 1);
  const rejection = await page.evaluate(() => window.serial.send("H").catch((error) => error.message));
  assert.match(rejection, /not sent/);
  await until("the reason", async () => (await page.evaluate(() => window.serial.status.state)) === "stopped");
  await uno.send("2\n3\n");
  link.restore();
  await until("lines", async () => (await seen(page, "line")).includes("3"));
  assert.deepEqual((await seen(page, "line")).slice(-3), ["1", "2", "3"]);
  assert.deepEqual(await seen(page, "missed"), []);
  assert.equal((await seen(page, "open")).length, 2);
});

test("opening it repeatedly makes one connection, and closing it leaves none", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await blank(t, bridge.url);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws.js` });
  await page.evaluate(() => {
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(...args) {
        super(...args);
        window.sockets.push(this);
      }
    };
    window.serial = new SerialWs();
    window.serial.open();
    window.serial.open();
  });
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
  const states = () => page.evaluate(() => window.sockets.map(({ readyState }) => readyState));
  assert.deepEqual(await states(), [1]);
  await page.evaluate(() => {
    window.serial.close();
    dispatchEvent(new Event("online"));
  });
  await until("the close", async () => (await states()).join() === "3");
  await page.evaluate(() => {
    window.serial.open();
    window.serial.open();
  });
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
  assert.deepEqual(await states(), [3, 1]);
});

test("a closed connection can be garbage-collected", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await blank(t, bridge.url);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws.js` });
  await page.evaluate(async () => {
    const serial = new SerialWs();
    await new Promise((resolve) => serial.on("open", resolve));
    serial.close();
    window.reference = new WeakRef(serial);
  });
  const devtools = await page.context().newCDPSession(page);
  await until("it to be collected", async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return page.evaluate(() => window.reference.deref() === undefined);
  });
});

test("an address can be written in several ways", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await blank(t, bridge.url);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws.js` });
  const urls = await page.evaluate((given) => given.map((url) => {
    const serial = new SerialWs(url);
    serial.close();
    return serial.url;
  }), [null, "localhost:8080", "pi.local:8080/ports/uno", "https://pi.local", "/ports/uno"]);
  const here = bridge.url.replace("http", "ws");
  assert.deepEqual(urls, [`${here}/`, "ws://localhost:8080/", "ws://pi.local:8080/ports/uno", "wss://pi.local/", `${here}/ports/uno`]);
});

test("a mistake in the address ends it, with the reason", async (t) => {
  const bridge = await start(t, ["--port", "uno=sim"]);
  const page = await withLibrary(t, bridge.url, '{"port":"none"}');
  await until("the mistake", async () => (await page.evaluate(() => window.serial.status.state)) === "mistake");
  assert.match(await page.evaluate(() => window.serial.status.detail), /ports\/uno/);
});

/** Opens a page at a foreign address, in a browser of its own. */
async function foreign(t, bridge, address, args = []) {
  const browser = await launch(args);
  t.after(() => browser.close());
  const page = await browser.newPage();
  if (args.length === 0) await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "<p>a sketch</p>" }));
  await page.goto(address);
  await page.addScriptTag({ path: join(root, "web/serial-ws.js") });
  await page.evaluate((url) => { window.serial = new SerialWs(url); }, bridge.url.replace("http", "ws"));
  return page;
}

test("a page that serial-ws refuses learns the remedy, and connects once it is allowed", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  // To the browser the page is on this computer, so that only serial-ws can refuse it.
  const { port } = new URL(await serve(t, join(root, "web/plain")));
  const address = `http://sketch.example:${port}`;
  const page = await foreign(t, bridge, `${address}/lines.html`, ["--host-resolver-rules=MAP sketch.example 127.0.0.1"]);
  await until("the refusal", () => page.evaluate(() => window.serial.status.state === "refused"));
  const hint = await page.evaluate(() => window.serial.status.hint);
  assert.ok(hint.includes(`--allow-origin ${address}`), hint);
  await bridge.stop();
  await start(t, ["--port", "sim", "--allow-origin", address], bridge.port);
  await until("the port to be open", () => page.evaluate(() => window.serial.opened));
});

test("a page that the browser blocks learns the remedy", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await foreign(t, bridge, "http://sketch.example/");
  const status = await until("the reason", async () => {
    const status = await page.evaluate(() => window.serial.status);
    return status.state !== "connecting" && status;
  });
  // Browsers without this protection let the page reach serial-ws, which refuses it.
  assert.ok(["blocked", "refused"].includes(status.state), JSON.stringify(status));
  assert.match(status.hint, /site settings|--allow-origin/);
});

test("it can be imported as a module", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, `${bridge.url}/_serial-ws/`);
  const line = await page.evaluate(async () => {
    const { SerialWs } = await import("/serial-ws.mjs");
    return new Promise((resolve) => new SerialWs({ history: 1 }).on("line", resolve));
  });
  assert.match(line, /^\d+,\d+,\d$/);
  // On a page from another server, it still connects to the serial-ws that it was loaded from.
  const elsewhere = await open(t, `${await serve(t, root)}/web/plain/lines.html`);
  await elsewhere.evaluate(async (from) => {
    const { SerialWs } = await import(from);
    window.serial = new SerialWs();
  }, `${bridge.url}/serial-ws.mjs`);
  assert.equal(await elsewhere.evaluate(() => window.serial.url), `${bridge.url.replace("http", "ws")}/`);
  await until("the port to be open", () => elsewhere.evaluate(() => window.serial.opened));
});

/** Returns the first code block of this kind in web/README.md that contains `part`, with the address of the test. */
function example(kind, part, bridge) {
  const readme = readFileSync(join(root, "web/README.md"), "utf8");
  const blocks = [...readme.matchAll(new RegExp(`\`\`\`${kind}\\n([^]*?)\`\`\``, "g"))].map(([, text]) => text);
  const found = blocks.find((text) => text.includes(part));
  assert.ok(found, `an example with ${part}`);
  return found.replaceAll("http://localhost:8080", bridge.url);
}

test("the examples of its documentation run", async (t) => {
  const bridge = await start(t, ["--port", "sim:led"]);
  const other = await serve(t, root);
  const page = await open(t, `${other}/LICENSE-MIT`);
  await page.setContent(`<!doctype html>${example("html", "new SerialWs()", bridge)}`);
  await until("the state in the title", async () => /is open/.test(await page.title()));
  await page.click("#led");
  await until("the answer of the board", async () => (await page.textContent("#reading")) === "led:255");
});

test("a sketch written for p5.webserial runs", async (t) => {
  const bridge = await start(t, ["--port", "sim:imu"]);
  const other = await serve(t, root);
  const page = await open(t, `${other}/LICENSE-MIT`);
  const sketch = example("js", "createSerial()", bridge).replace("Number(line)", "parseFloat(line)");
  const scripts = example("html", "serial-ws-p5.js", bridge);
  await page.setContent(`<!doctype html><script src="${other}/tests/browser/node_modules/p5/lib/p5.min.js"></script>${scripts}<script>${sketch}</script>`);
  await until("a reading", () => page.evaluate("reading !== 0 && !isNaN(reading)"));
});
