// Sketches with the real library p5.serialport and --p5: in Node, and the library's examples in Chromium.
//
// needs program: chromium from chromium
// needs program: python3 from python3
// needs npm: p5.serialserver@0.0.29
// needs npm: p5@1.11.13
// needs npm: playwright-core@1.64.0
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { after, test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { spawn } from "../spawn.mjs";
import { folder, load, root, start, until } from "./support.mjs";

const { chromium } = load("p5-serialport", "playwright-core");
const { WebSocket } = load("p5-serialport", "ws");

/** The package, which has the library, p5 and the examples. */
const theirs = join(folder("p5-serialport"), "node_modules/p5.serialserver");
const library = readFileSync(join(theirs, "lib/p5.serialport.js"), "utf8");

/** The p5 that sketches use today. The one beside the example with a menu has no menus that work. */
const today = readFileSync(join(folder("p5-serialport"), "node_modules/p5/lib/p5.min.js"));

/** The name of a board where a sketch was written: not here. */
const ELSEWHERE = "/dev/tty.usbmodem14501";

let browser;
after(() => browser?.close());

/** A board at a path of its own, which can be unplugged and plugged in again. */
async function board(t) {
  const place = mkdtempSync(join(tmpdir(), "serial-ws-p5-"));
  const it = { path: join(place, "board"), received: Buffer.alloc(0), plug, unplug, send: (data) => child.stdin.write(Buffer.from(data)) };
  let child;
  async function plug() {
    let said = Buffer.alloc(0);
    child = spawn("python3", [join(root, "tests/browser/board.py"), it.path], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout.on("data", (data) => {
      said = Buffer.concat([said, data]);
      it.received = said.subarray("plugged in\n".length);
    });
    await until("the board", () => said.includes("plugged in\n"));
  }
  async function unplug() {
    const gone = new Promise((resolve) => child.on("exit", resolve));
    child.stdin.end();
    await gone;
  }
  await plug();
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(place, { recursive: true, force: true });
  });
  return it;
}

/** Starts serial-ws with these boards, called a, b and so on. */
async function bridge(t, boards, ...options) {
  const ports = boards.flatMap((board, index) => ["--port", `${"abc"[index]}=${board.path}`]);
  const it = await start(t, ...ports, "--p5=0", ...options);
  const [, port] = await until("the sketches' TCP port", () => it.log().match(/127\.0\.0\.1:(\d+)\/ for sketches/));
  await until("the boards to be open", () => boards.every((board) => it.log().includes(`${board.path} is open`)));
  return { ...it, p5: Number(port) };
}

/** A sketch in Node, which notes what its callbacks get. */
function sketch(t, port) {
  const got = [];
  const context = { WebSocket, console: { log() {} }, print() {} };
  context.window = context.self = context;
  createContext(context);
  runInContext("p5 = function () {}", context);
  runInContext(library, context);
  const serial = runInContext(`new p5.SerialPort("127.0.0.1", ${port})`, context);
  serial.on("list", (list) => got.push(["list", [...list]]));
  serial.on("open", () => got.push(["open"]));
  serial.on("close", () => got.push(["close"]));
  serial.on("error", (error) => got.push(["error", error]));
  t.after(() => serial.socket.close());
  const count = (event) => got.filter(([name]) => name === event).length;
  return { serial, got, count };
}

test("the library lists, opens, reads, writes, closes, and opens again", async (t) => {
  const uno = await board(t);
  const { p5 } = await bridge(t, [uno]);
  const { serial, got, count } = sketch(t, p5);
  serial.list();
  serial.open(ELSEWHERE, { baudrate: 9600 });
  await until("the port", () => count("open") === 1);
  assert.deepEqual(got, [["list", ["a"]], ["open"]]);
  uno.send("584,678,0\r\n12");
  await until("the bytes", () => serial.available() === 13);
  assert.equal(serial.readLine(), "584,678,0");
  assert.equal(serial.readStringUntil("2"), "1");
  serial.clear();
  uno.send([0, 13, 255]);
  await until("the bytes", () => serial.available() === 3);
  assert.deepEqual([serial.read(), serial.read(), serial.read(), serial.read()], [0, 13, 255, -1]);
  serial.write("H");
  serial.write(7);
  serial.write([1, 255]);
  serial.write({ led: 1 });
  await until("the writes", () => uno.received.length === 13);
  assert.deepEqual(uno.received, Buffer.from([...Buffer.from("H"), 7, 1, 255, ...Buffer.from('{"led":1}')]));
  // As every port menu does it.
  serial.close();
  serial.open("a", { baudrate: 9600 });
  await until("the port again", () => count("open") === 2);
  assert.deepEqual(got.slice(2), [["close"], ["open"]]);
  uno.send("x");
  await until("a byte", () => serial.available() === 1);
});

test("a sketch is told of an unplugged board, and opening it again works when it is back", async (t) => {
  const uno = await board(t);
  const { p5 } = await bridge(t, [uno]);
  const { serial, got, count } = sketch(t, p5);
  serial.open("a");
  await until("the port", () => count("open") === 1);
  await uno.unplug();
  await until("the end", () => count("close") === 1);
  serial.open("a");
  await until("the reason", () => count("error") === 1);
  assert.match(got.at(-1)[1], /^a is not open: /);
  await uno.plug();
  serial.open("a");
  await until("the port again", () => count("open") === 2);
  uno.send("back\r\n");
  await until("data", () => serial.available() === 6);
  assert.equal(serial.readLine(), "back");
});

test("what one sketch closes stays open for the other", async (t) => {
  const uno = await board(t);
  const { p5 } = await bridge(t, [uno]);
  const [one, two] = [sketch(t, p5), sketch(t, p5)];
  for (const { serial, count } of [one, two]) {
    serial.open("a");
    await until("the port", () => count("open") === 1);
  }
  one.serial.close();
  await until("the end", () => one.count("close") === 1);
  uno.send("x");
  await until("a byte", () => two.serial.available() === 1);
  assert.equal(one.serial.available(), 0);
  assert.deepEqual(two.got, [["open"]]);
});

/** Serves the package and `pages`. `edit` changes sketches, as their authors say. */
async function serve(t, pages, edit) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://x").pathname);
    try {
      const text = pages[path] ?? readFileSync(join(theirs, path));
      response.setHeader("Content-Type", path.endsWith(".js") ? "text/javascript" : "text/html");
      response.end(path.endsWith("sketch.js") ? edit(String(text)) : text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Opens a page whose sketch looks for its server at the TCP port of the test, and notes the console. */
async function page(t, p5, path, { pages = {}, edit = (text) => text } = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.SERIAL_WS_TEST_BROWSER ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  t.after(() => context.close());
  const it = await context.newPage();
  const log = [];
  it.on("console", (message) => log.push(message.text()));
  it.on("pageerror", (error) => log.push(`error: ${error.message}`));
  await it.addInitScript((port) => {
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      constructor(url) {
        super(url.replace("localhost:8081", `localhost:${port}`));
      }
    };
  }, p5);
  await it.route(/^https:/, (route) => {
    const isLibrary = route.request().url().endsWith("/lib/p5.serialport.js");
    return isLibrary ? route.fulfill({ body: library, contentType: "text/javascript" }) : route.abort();
  });
  await it.goto(`${await serve(t, pages, edit)}${path}`);
  return { it, log, value: (expression) => it.evaluate(expression) };
}

/** Opens one of the library's examples. */
const example = (t, p5, name, options) => page(t, p5, `/examples/${name}/index.html`, options);

for (const name of ["basics", "basics-cdn"]) {
  test(`example ${name} shows the latest line`, async (t) => {
    const uno = await board(t);
    const { p5 } = await bridge(t, [uno]);
    const { log, value } = await example(t, p5, name);
    await until("the port", () => log.includes("Serial Port is Open"));
    assert(log.includes("0 a"), `${log}`);
    uno.send("584\r\n");
    await until("the line", () => value("latestData === '584'"));
    await uno.unplug();
    await until("the end", () => value("latestData === 'Serial Port is Closed'"));
  });
}

test("example echo sends a key and shows the byte that comes back", async (t) => {
  const uno = await board(t);
  const { p5 } = await bridge(t, [uno]);
  const { it, value } = await example(t, p5, "echo");
  await until("the sketch", () => value("typeof serial === 'object' && serial.socket.readyState === 1"));
  await it.click("canvas");
  await until("the key at the board", async () => {
    await it.keyboard.type("a");
    return uno.received.includes("a");
  });
  uno.send([0]);
  await until("the byte", () => value("inData === 0"));
});

test("example echo2 counts through all 256 bytes and on, each echoed by the board", async (t) => {
  const { log: said } = await start(t, "--port", "loop", "--p5=0");
  const [, port] = await until("the sketches' TCP port", () => said().match(/127\.0\.0\.1:(\d+)\/ for sketches/));
  const { it, log, value } = await example(t, Number(port), "echo2");
  await until("the port", () => said().includes("connected"));
  await it.click("canvas");
  await it.keyboard.press("a");
  await until("300 bytes", () => value("byteCount > 300"));
  assert.deepEqual(log.filter((line) => line.startsWith("Error")), []);
});

test("example makePortMenu lists the ports, and opens the one that is chosen", async (t) => {
  const [uno, nano] = [await board(t), await board(t)];
  const { p5 } = await bridge(t, [uno, nano]);
  const libraries = "/examples/makePortMenu/libraries";
  const pages = { [`${libraries}/p5.js`]: today, [`${libraries}/p5.dom.js`]: "", [`${libraries}/p5.sound.js`]: "" };
  const { it, log, value } = await example(t, p5, "makePortMenu", { pages });
  await until("the menu", () => log.includes("1 b"));
  assert.deepEqual(await it.$$eval("option", (options) => options.map((option) => option.textContent)), ["Choose a port:", "a", "b"]);
  await it.selectOption("select", "b");
  await until("the line", async () => {
    nano.send("hello\r\n");
    return value("result === 'hello'");
  });
});

test("example readAndAnimate moves the text to the reading", async (t) => {
  const uno = await board(t);
  const { p5 } = await bridge(t, [uno]);
  const { value } = await example(t, p5, "readAndAnimate");
  await until("the reading", async () => {
    uno.send("321\r\n");
    return value("textXpos === '321'");
  });
});

test("example readCount counts every byte", async (t) => {
  const uno = await board(t);
  const { p5, log } = await bridge(t, [uno]);
  const { value } = await example(t, p5, "readCount");
  await until("the sketch", () => log().includes("connected"));
  uno.send(Buffer.alloc(20000, 7));
  await until("all bytes", () => value("byteCount === 20000 && inByte === 7"));
});

for (const name of ["twoArduinos", "twoArduinosArray"]) {
  test(`example ${name} shows a line of each board`, async (t) => {
    const [uno, nano] = [await board(t), await board(t)];
    const { p5 } = await bridge(t, [uno, nano]);
    const edit = (text) => text.replace("/dev/tty.usbmodem14501", uno.path).replace("/dev/tty.usbmodem14101", nano.path);
    const { log } = await example(t, p5, name, { edit });
    await until("both ports", () => log.filter((line) => line === "Serial Port is Open").length === 2);
    uno.send("one\r\n");
    nano.send("two\r\n");
    await until("both lines", () => log.includes("one") && log.includes("two"));
  });
}

test("example writeExample switches the LED at each click", async (t) => {
  const uno = await board(t);
  const { p5, log } = await bridge(t, [uno]);
  const { it } = await example(t, p5, "writeExample");
  await until("the sketch", () => log().includes("connected"));
  for (let clicks = 0; clicks < 4; clicks += 1) await it.mouse.click(100, 100);
  await until("the letters", () => uno.received.toString() === "HLHL");
});

/** A page as ITP's labs have them: all callbacks, a menu, and open() and close(). */
const LAB = `
let serial;
let portName = '/dev/cu.usbmodem1421';
let options = { baudrate: 9600 };
let inData;
let portSelector;
function setup() {
  createCanvas(400, 300);
  serial = new p5.SerialPort();
  serial.on('list', printList);
  serial.on('connected', serverConnected);
  serial.on('open', portOpen);
  serial.on('data', serialEvent);
  serial.on('error', serialError);
  serial.on('close', portClose);
  serial.list();
  serial.open(portName, options);
}
function printList(portList) {
  if (portSelector) portSelector.remove();
  portSelector = createSelect();
  for (let i = 0; i < portList.length; i++) portSelector.option(portList[i]);
  portSelector.changed(choosePort);
}
function choosePort() {
  serial.close();
  serial.open(portSelector.value(), options);
}
function serverConnected() { print('connected to server.'); }
function portOpen() { print('the serial port opened.'); serial.write('x'); }
function serialEvent() { inData = Number(serial.read()); }
function serialError(err) { print('Something went wrong with the serial port. ' + err); }
function portClose() { print('The serial port closed.'); }
function mouseReleased() { serial.write('H'); }
function draw() { background(0); fill(255); text('sensor value: ' + inData, 30, 30); }
`;

test("a lab of ITP opens the only board by the name of another computer, and closes and opens it by its menu", async (t) => {
  const uno = await board(t);
  const { p5, log: said } = await bridge(t, [uno]);
  const scripts = ["p5.js", "/lib/p5.serialport.js", "sketch.js"];
  const html = scripts.map((script) => `<script src="${script}"></script>`).join("\n");
  const pages = { "/lab/index.html": html, "/lab/sketch.js": LAB, "/lab/p5.js": today };
  const { it, log, value } = await page(t, p5, "/lab/index.html", { pages });
  await until("the port", () => log.includes("the serial port opened."));
  assert.match(said(), /asked for \/dev\/cu\.usbmodem1421, got the only board/);
  await until("the first byte", () => uno.received.toString() === "x");
  uno.send([237]);
  await until("the reading", () => value("inData === 237"));
  await it.$eval("select", (select) => select.dispatchEvent(new Event("change")));
  await until("the port again", () => log.filter((line) => line === "the serial port opened.").length === 2);
  assert(log.includes("The serial port closed."), `${log}`);
  uno.send([12]);
  await until("the reading", () => value("inData === 12"));
  await it.mouse.click(100, 100);
  await until("the letter", () => uno.received.toString().endsWith("H"));
});
