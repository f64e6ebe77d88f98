// Sketches written for p5.webserial, with serial-ws-p5.js in a real browser and the real program.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { opening, reading, writing } from "./p5-webserial.mjs";
import { board, open, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** Opens a page that has only the one script line, and on it `port`, which reads from a board. */
async function sketch(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  const page = await open(t, `${bridge.url}/healthz`);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws-p5.js` });
  await page.evaluate(() => {
    window.port = createSerial();
    window.rejections = [];
    addEventListener("unhandledrejection", (event) => {
      window.rejections.push(event.reason.name);
      event.preventDefault();
    });
  });
  await page.evaluate("port.open(9600)");
  await until("the port to be open", () => page.evaluate("port.opened()"));
  const bytes = () => page.evaluate("port.availableBytes()");
  /** Sends bytes to the page, and waits until all have arrived. */
  const send = async (data, unread) => {
    await uno.send(Buffer.from(data));
    await until(`${unread} unread bytes`, async () => await bytes() === unread);
  };
  return { uno, bridge, page, bytes, send };
}

/** Evaluates an expression; returns its value, or the name of its error. */
const look = (page, expression) => page.evaluate(`(async () => {
  try { return await (${expression}); } catch (error) { return { thrown: error.name }; }
})()`);

test("every call that reads returns what p5.webserial documents", async (t) => {
  const { page, bytes, send } = await sketch(t);
  let limit = Infinity;
  for (const [name, steps] of Object.entries(reading)) {
    await page.evaluate("port.clear()");
    for (const [sent, call, expected] of steps) {
      if (sent.length > 0) await send(sent, Math.min(limit, await bytes() + Buffer.from(sent).length));
      const found = await look(page, `port.${call}`);
      assert.deepEqual(found, expected === TypeError ? { thrown: "TypeError" } : expected, `${name}: ${call}`);
      limit = Number(call.match(/^bufferSize\((\d+)\)/)?.[1] ?? limit);
      if (call === "bufferSize(1 << 20)") limit = Infinity;
    }
  }
});

test("write() sends what p5.webserial documents, and rejects what it does not take", async (t) => {
  const { uno, page } = await sketch(t, ["--append", "crlf"]);
  for (const [argument, expected] of writing) {
    uno.received = "";
    const found = await look(page, `port.write(${argument})`);
    assert.deepEqual(found, expected === TypeError ? { thrown: "TypeError" } : true, argument);
    const received = expected === TypeError ? "" : Buffer.from(expected).toString("latin1");
    await until(`${argument} to arrive`, () => uno.received.length >= received.length);
    assert.equal(uno.received, received, argument);
  }
  uno.received = "";
  await page.evaluate("port.print(5); port.println('é'); port.println(1.5); port.println()");
  await until("the text to arrive", () => uno.received === "5\xc3\xa9\r\n1.5\r\n\r\n");
});

test("a long write arrives whole, and before what is written after it", async (t) => {
  const { uno, page } = await sketch(t);
  const found = await page.evaluate(async () => Promise.all([port.write("x".repeat(200000)), port.write("y"), port.write("z".repeat(70000)), port.println("end")]));
  assert.deepEqual(found, [true, true, true, true]);
  await until("the end", () => uno.received.endsWith("end\r\n"));
  assert.equal(uno.received, `${"x".repeat(200000)}y${"z".repeat(70000)}end\r\n`);
});

test("open() takes the arguments of p5.webserial, and reports others without ending the sketch", async (t) => {
  const { page } = await sketch(t);
  for (const [argument, fits] of opening) {
    await page.evaluate("port.close(); rejections.length = 0");
    assert.equal(await look(page, `port.open(${argument})`), undefined, argument);
    if (fits) await until(`open(${argument})`, () => page.evaluate("port.opened()"));
    else await until(`the error of open(${argument})`, () => page.evaluate("rejections.join() === 'TypeError'"));
    assert.equal(await page.evaluate("port.opened()"), fits, argument);
  }
});

test("a port that is not open refuses in the words of the page, and throws nothing", async (t) => {
  const { page } = await sketch(t);
  await page.evaluate("port.close()");
  const warning = page.waitForEvent("console", (message) => message.type() === "warning");
  assert.equal(await look(page, "port.write('H')"), false);
  assert.match((await warning).text(), /not written: the port is not open/);
  assert.deepEqual(await look(page, "port.write(256)"), { thrown: "TypeError" });
  assert.deepEqual(await look(page, "port.dtr(true)"), { thrown: "Error" });
  assert.deepEqual(await look(page, "createSerial().rts(true)"), { thrown: "Error" });
  assert.deepEqual(await page.evaluate("rejections"), []);
});

test("dtr() and rts() reach the board", async (t) => {
  const { page } = await sketch(t);
  // A pseudo-terminal has no modem lines, so that its refusal shows that the request came there.
  for (const call of ["dtr(true)", "dtr(false)", "rts(true)", "rts(false)"]) {
    const message = await page.evaluate(`port.${call}.catch((error) => error.message)`);
    assert.match(message, /modem lines of this device/, call);
  }
  assert.match(await page.evaluate("port.dtr().catch((error) => error.message)"), /true or false/);
});

test("after close() and open(), nothing arrives that came meanwhile", async (t) => {
  const { uno, bridge, page, bytes, send } = await sketch(t);
  await send("before", 6);
  await page.evaluate("port.close()");
  assert.equal(await page.evaluate("port.opened()"), false);
  await uno.send("meanwhile");
  await until("serial-ws to read it", async () => (await (await fetch(`${bridge.url}/api/status`)).json()).ports[0].bytes === 15);
  await page.evaluate("port.open()");
  await until("the port to be open", () => page.evaluate("port.opened()"));
  await send("after", 11);
  assert.equal(await page.evaluate("port.read()"), "beforeafter");
  assert.equal(await bytes(), 0);
});

test("a board that is plugged in again needs no click, and unread text stays", async (t) => {
  const { uno, page, send } = await sketch(t);
  await send("12\n", 3);
  await uno.unplug();
  await until("the port to be closed", () => page.evaluate("!port.opened()"));
  assert.equal(await look(page, "port.write('H')"), false);
  await uno.plug();
  await until("the port to be open", () => page.evaluate("port.opened()"));
  await send("34\n", 6);
  assert.deepEqual(await page.evaluate("[port.readUntil('\\n'), port.readUntil('\\n')]"), ["12\n", "34\n"]);
  assert.equal(await look(page, "port.write('H')"), true);
});

test("calling open() again and again makes one connection", async (t) => {
  const { bridge, page } = await sketch(t);
  await page.evaluate("for (let i = 0; i < 100; i++) port.open('Arduino', 9600)");
  await until("the port to be open", () => page.evaluate("port.opened()"));
  const { clients } = await (await fetch(`${bridge.url}/api/status`)).json();
  assert.equal(clients, 1);
});

test("a sketch that the operator disconnected stays away, although it calls open() again and again", async (t) => {
  const { bridge, page } = await sketch(t);
  const clients = async () => (await fetch(`${bridge.url}/api/clients`)).json();
  const [{ id }] = await clients();
  await fetch(`${bridge.url}/api/clients/${id}`, { method: "DELETE" });
  await until("the port to be closed", () => page.evaluate("!port.opened()"));
  await page.evaluate("for (let i = 0; i < 100; i++) port.open('Arduino', 9600)");
  await page.evaluate("new Promise((resolve) => setTimeout(resolve, 2000))");
  assert.deepEqual(await clients(), []);
  await page.evaluate("port.close(); port.open('Arduino', 9600)");
  await until("the port to be open", () => page.evaluate("port.opened()"));
});

test("a sketch that never reads keeps the newest megabyte, and is told once", async (t) => {
  const bridge = await start(t, ["--port", "loop"]);
  const page = await open(t, `${bridge.url}/healthz`);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws-p5.js` });
  const warnings = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  await page.evaluate("window.port = createSerial(); port.open()");
  await until("the port to be open", () => page.evaluate("port.opened()"));
  await page.evaluate("port.write('a'.repeat(1 << 20)); port.write(`${'b'.repeat(1 << 19)}\n`)");
  await until("the end", () => page.evaluate("window.kept = port.readUntil('\\n')"));
  assert.equal(await page.evaluate("kept.length"), 1 << 20);
  assert.equal(await page.evaluate("kept.indexOf('b')"), (1 << 19) - 1);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /bufferSize/);
});

test("a sketch that asks for another baud rate is told which one is in use", async (t) => {
  const { page } = await sketch(t);
  const told = page.waitForEvent("console", (message) => message.text().includes("--baud 57600"));
  await page.evaluate("port.close(); port.open('Arduino', 57600)");
  assert.match((await told).text(), /asks for 57600 baud, and serial-ws uses 9600/);
});

test("a second port is opened by its address", async (t) => {
  const bridge = await start(t, ["--port", "left=loop", "--port", "right=loop"]);
  const page = await open(t, `${bridge.url}/healthz`);
  await page.addScriptTag({ url: `${bridge.url}/serial-ws-p5.js` });
  await page.evaluate(`window.left = createSerial(); window.right = createSerial(); left.open(9600); right.open("/ports/right", 9600)`);
  await until("both to be open", () => page.evaluate("left.opened() && right.opened()"));
  await page.evaluate("left.write('L'); right.write('R')");
  await until("both to answer", () => page.evaluate("left.availableBytes() + right.availableBytes() === 2"));
  assert.equal(await page.evaluate("left.read() + right.read()"), "LR");
});

/** A sketch in the manner of the examples of p5.webserial. */
const SKETCH = `
let port;
let heard = "";
let connectBtn;

function setup() {
  createCanvas(200, 100);
  port = createSerial();
  let usedPorts = usedSerialPorts();
  if (usedPorts.length > 0) {
    port.open(usedPorts[0], 57600);
  }
  connectBtn = createButton("Connect to Arduino");
  connectBtn.mousePressed(connectBtnClick);
}

function draw() {
  background(220);
  let line = port.readUntil("\\n");
  if (line.length > 0) {
    heard = line.trim();
  }
  text(heard, 10, 50);
  connectBtn.html(port.opened() ? "Disconnect" : "Connect to Arduino");
}

function connectBtnClick() {
  if (port.opened()) {
    port.close();
  } else {
    port.open("Arduino", 57600);
  }
}
`;

for (const [version, name] of [["1", "p5"], ["2", "p5-2"]]) {
  test(`with p5 ${version}, a sketch needs nothing but the one script line`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "serial-ws-sketch-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const uno = await board(t);
    const bridge = await start(t, ["--port", uno.path, "--baud", "57600"]);
    copyFileSync(join(root, `tests/browser/node_modules/${name}/lib/p5.js`), join(folder, "p5.js"));
    writeFileSync(join(folder, "sketch.js"), SKETCH);
    writeFileSync(join(folder, "index.html"), `<!doctype html><meta charset="utf-8">
      <script src="p5.js"></script>
      <script src="${bridge.url}/serial-ws-p5.js"></script>
      <main></main>
      <script src="sketch.js"></script>`);
    const page = await open(t);
    const complaints = [];
    page.on("console", (message) => /createSerial|usedSerialPorts|WebSerial/.test(message.text()) && complaints.push(message.text()));
    await page.goto(`${await serve(t, folder)}/`);
    await page.click("text=Disconnect");
    await page.click("text=Connect to Arduino");
    await page.locator("text=Disconnect").waitFor();
    await uno.send("5");
    await uno.send("12\r\n");
    await until("the line", () => page.evaluate("heard === '512'"));
    assert.deepEqual(complaints, []);
    assert.equal(await page.evaluate("new p5.prototype.WebSerial().available() + new WebSerial().available()"), 0);
    assert.deepEqual(await page.evaluate("Object.keys(port.presets)"), ["Adafruit", "Arduino", "MicroPython", "RaspberryPi"]);
  });
}
