// Opens every page of web/p5 in a real browser, with its sketch on a simulated board behind the
// real program: turns the knob and checks that the drawing moves, drags the slider and waits for
// the LED.
//
//   pages.mjs FOLDER PROGRAM P5
//
// FOLDER holds uno-sim and the compiled sketches, PROGRAM is serial-ws, and P5 is the p5.min.js
// that is served to the pages in place of the CDN, so that no network is needed. CHROMIUM names
// another browser.
//
// It drives the browser over a pipe with the DevTools protocol, and needs nothing but Node.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { spawn } from "../spawn.mjs";

const [folder, program, p5] = process.argv.slice(2);
const web = join(dirname(fileURLToPath(import.meta.url)), "../../web");
const chromium = process.env.CHROMIUM ?? "chromium";

/** How long to wait for something that must happen. */
const TIMEOUT = 20_000;

/** Milliseconds between checks of something that sends no event. */
const POLL_INTERVAL = 50;

/** Turns the knob, and waits until `shows` is true in the page and the drawing has moved. */
const turn = (shows, ...commands) => async ({ board, page }) => {
  await page.until("it is connected", "socket.readyState === 1");
  const before = await page.drawing();
  board.send("adc 0 4000", ...commands);
  await page.until(shows, shows);
  await page.drawingChange(before);
};

/** Clicks the middle of the slider, and waits until the LED is dimmed and the page shows the reply. */
const dim = (shown) => async ({ board, page }) => {
  await page.until("it is connected", "socket.readyState === 1");
  await page.click("input");
  const event = await board.waitFor("pwm 9");
  await page.until("the page shows it", `${shown} === "${event.split(" ")[2]}"`);
};

/** Checks for pages in a room, where each page receives what the other sends. */
const room = {
  "p5/WiFiClient/": async ({ page, another }) => {
    await page.until("it is connected", "socket.readyState === 1");
    await another.until("the other is connected", "socket.readyState === 1");
    await page.click("input");
    await another.until("the number is there", "number > 100 && number < 155");
  },
  "plain/chat.html": async ({ page, another }) => {
    await page.until("it is connected", "socket.readyState === 1");
    await another.until("the other is connected", "socket.readyState === 1");
    await page.click("textarea");
    await page.type("hé <b>llo");
    await another.until("the message is there", 'messages.firstChild?.textContent === "hé <b>llo"');
  },
};

/** What to do with each page, and the expected result. */
const checks = {
  OneNumber: turn("readings.at(-1) === 818"),
  RawByte: turn("readings.at(-1) === 204"),
  SlipFrames: turn("knob === 818 && light === 204", "adc 1 1000"),
  SeveralSensors: turn("knob === 818 && light === 204 && button === 1", "adc 1 1000", "pin 2 0"),
  JsonLines: turn("values.potentiometer === 818 && values.button === 1", "pin 2 0"),
  LabelledValues: turn("values.potentiometer === 818 && values.light === 204", "adc 1 1000"),
  CallResponse: turn('readings.join() === "818,204,1"', "adc 1 1000", "pin 2 0"),
  CallResponseBinary: turn("reading === 818"),
  Orientation: turn("pitch < -5", "adc 2 3000"),
  Button: turn('pressed === "1"', "pin 2 0"),
  DimmerByte: dim("brightness"),
  DimmerNumber: dim("heard"),

  async LedLetters({ board, page }) {
    await page.until("it is connected", "socket.readyState === 1");
    await page.mouse("mousePressed", 100, 100);
    await board.waitFor("pin 13 1");
    await page.until("the page says on", 'state === "on"');
    await page.mouse("mouseReleased", 100, 100);
    await board.waitFor("pin 13 0");
    await page.until("the page says off", 'state === "off"');
  },

  async Duplex({ board, page }) {
    await turn("reading === 818")({ board, page });
    await page.mouse("mouseMoved", 350, 100);
    await board.waitFor("pin 5 1");
    await page.mouse("mouseMoved", 50, 100);
    await board.waitFor("pin 2 1");
  },

  async Echo({ board, page }) {
    await page.until("it is connected", "socket.readyState === 1");
    await page.click("textarea");
    await page.type("héllo");
    await page.until("the line is back", 'lines.at(-1) === "héllo"');
  },

  async TwoBoards({ board, other, page }) {
    await page.until("both are connected", "left.readyState === 1 && right.readyState === 1");
    board.send("adc 0 4000");
    await other.waitFor("pwm 9 204");
    other.send("adc 0 1000");
    await board.waitFor("pwm 9 51");
    await page.until("the page knows both", "leftKnob === 204 && rightKnob === 51");
  },
};

const sleep = (time) => new Promise((done) => setTimeout(done, time));

async function within(what, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited ${TIMEOUT} ms: ${what}`)), TIMEOUT);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A program that takes commands and reports events, one per line. */
class LineProgram {
  lines = [];
  read = 0;
  onLine = () => {};

  constructor(command, options, stream) {
    this.child = spawn(command, options, { stdio: ["pipe", "pipe", "pipe"] });
    createInterface({ input: this.child[stream] }).on("line", (line) => {
      this.lines.push(line);
      this.onLine();
    });
  }

  send(...commands) {
    for (const command of commands) this.child.stdin.write(`${command}\n`);
  }

  async waitFor(part) {
    const find = async () => {
      for (;;) {
        while (this.read < this.lines.length) {
          const line = this.lines[this.read++];
          if (line.includes(part)) return line;
        }
        await new Promise((done) => (this.onLine = done));
      }
    };
    return within(`${part} in ${JSON.stringify(this.lines)}`, find());
  }

  stop() {
    this.child.kill();
  }
}

/** The browser. */
class Browser {
  static async start(profile) {
    const browser = new Browser();
    browser.child = spawn(
      chromium,
      [
        "--headless=new", "--no-sandbox", "--remote-debugging-pipe", `--user-data-dir=${profile}`,
        "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run", "about:blank",
      ],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    browser.answers = new Map();
    browser.pages = new Map();
    browser.next = 1;
    let rest = "";
    browser.child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      messages.forEach((message) => browser.take(JSON.parse(message)));
    });
    return browser;
  }

  take({ id, result, error, method, params, sessionId }) {
    if (id) {
      const { done, fail } = this.answers.get(id);
      this.answers.delete(id);
      error ? fail(new Error(error.message)) : done(result);
    } else if (method === "Fetch.requestPaused") {
      this.give("Fetch.fulfillRequest", {
        requestId: params.requestId,
        responseCode: 200,
        responseHeaders: [
          { name: "Content-Type", value: "text/javascript" },
          { name: "Access-Control-Allow-Origin", value: "*" },
        ],
        body: readFileSync(p5).toString("base64"),
      }, sessionId);
    } else if (method === "Runtime.exceptionThrown") {
      this.pages.get(sessionId).thrown.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
  }

  give(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const answer = new Promise((done, fail) => this.answers.set(id, { done, fail }));
    return within(method, answer);
  }

  /** Opens a page in which ws://localhost:8080 leads to `address`. */
  async open(url, address) {
    const { targetId } = await this.give("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.give("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    this.pages.set(sessionId, page);
    await page.give("Runtime.enable");
    await page.give("Page.enable");
    await page.give("Fetch.enable", { patterns: [{ urlPattern: "https://*" }] });
    await page.give("Page.addScriptToEvaluateOnNewDocument", {
      source: `{ const Real = WebSocket; WebSocket = class extends Real {
        constructor(url) { super(url.replace("localhost:8080", "${address}")); } }; }`,
    });
    await page.give("Page.navigate", { url });
    await page.until("the page has loaded", 'document.querySelector("canvas, form, textarea") !== null');
    return page;
  }
}

/** A page in the browser. */
class Page {
  thrown = [];

  constructor(browser, session, target) {
    Object.assign(this, { browser, session, target });
  }

  give(method, params) {
    return this.browser.give(method, params, this.session);
  }

  async close() {
    await this.browser.give("Target.closeTarget", { targetId: this.target });
    if (this.thrown.length > 0) throw new Error(`the page threw: ${this.thrown}`);
  }

  async value(expression) {
    const { result } = await this.give("Runtime.evaluate", { expression, returnByValue: true });
    return result.value;
  }

  async until(what, expression) {
    const end = Date.now() + TIMEOUT;
    while ((await this.value(expression)) !== true) {
      if (Date.now() > end) throw new Error(`waited ${TIMEOUT} ms: ${what}; ${this.thrown}`);
      await sleep(POLL_INTERVAL);
    }
  }

  drawing() {
    return this.value('document.querySelector("canvas").toDataURL()');
  }

  async drawingChange(before) {
    const end = Date.now() + TIMEOUT;
    while ((await this.drawing()) === before) {
      if (Date.now() > end) throw new Error("the drawing stands still");
      await sleep(POLL_INTERVAL);
    }
  }

  mouse(type, x, y) {
    const buttons = type === "mouseMoved" ? {} : { button: "left", clickCount: 1 };
    return this.give("Input.dispatchMouseEvent", { type, x, y, ...buttons });
  }

  async click(selector) {
    const [x, y] = await this.value(`(() => {
      const box = document.querySelector("${selector}").getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2]; })()`);
    await this.mouse("mousePressed", x, y);
    await this.mouse("mouseReleased", x, y);
  }

  async type(text) {
    await this.give("Input.insertText", { text });
    for (const type of ["keyDown", "keyUp"]) {
      await this.give("Input.dispatchKeyEvent", { type, key: "Enter", windowsVirtualKeyCode: 13, text: "\r" });
    }
  }
}

const types = { ".html": "text/html", ".js": "text/javascript" };
const server = createServer(async (request, response) => {
  try {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(web, path.endsWith("/") ? `${path}index.html` : path);
    const body = await readFile(file);
    response.setHeader("Content-Type", types[extname(file)] ?? "text/plain").end(body);
  } catch {
    response.writeHead(404).end();
  }
});

const scratch = await mkdtemp(join(tmpdir(), "serial-ws-pages-"));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const browser = await Browser.start(join(scratch, "profile"));
let failed = 0;

/** Runs one check on `count` pages at `path`, with serial-ws on these ports. */
async function runCheck(name, path, count, boards, ports, check) {
  const programs = [...boards];
  const open = [];
  try {
    for (const board of boards) await board.waitFor("start");
    const bridge = new LineProgram(program, [...ports, "--listen", "127.0.0.1:0"], "stderr");
    programs.push(bridge);
    const [, address] = (await bridge.waitFor("ws://")).match(/ws:\/\/([^/]+)/);
    await bridge.waitFor("is open");
    while (open.length < count) {
      open.push(await browser.open(`http://127.0.0.1:${server.address().port}/${path}`, address));
    }
    // Only the page in front draws.
    await open[0].give("Page.bringToFront");
    await check({ board: boards[0], other: boards[1], page: open[0], another: open[1] });
    for (const page of open.splice(0)) await page.close();
    console.log(`page ${name} ... ok`);
  } catch (error) {
    failed++;
    console.log(`page ${name} ... FAILED: ${error.message}`);
  }
  for (const page of open) await page.close().catch(() => {});
  programs.forEach((one) => one.stop());
}

for (const [name, check] of Object.entries(checks)) {
  const sides = name === "TwoBoards" ? ["left", "right"] : ["left"];
  const link = (side) => join(scratch, `${name}-${side}`);
  const elf = join(folder, `${name}.elf`);
  const boards = sides.map((side) => new LineProgram(join(folder, "uno-sim"), ["--link", link(side), elf], "stdout"));
  const [, flags] = readFileSync(join(web, `p5/${name}/sketch.js`), "utf8").match(/^ {2}run: serial-ws(.*)$/m);
  const settings = flags.split(" ").filter((flag) => flag && !/^--port$|=/.test(flag));
  const ports = [...settings, ...sides.flatMap((side) => ["--port", `${side}=${link(side)}`])];
  await runCheck(name, `p5/${name}/`, 1, boards, ports, check);
}
for (const [path, check] of Object.entries(room)) {
  await runCheck(path, path, 2, [], ["--port", "room=loop,lines,append=lf"], check);
}
await browser.give("Browser.close").catch(() => {});
server.close();
await rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
console.log(failed === 0 ? "every page works with its sketch" : `${failed} pages FAILED`);
process.exit(failed === 0 ? 0 : 1);
