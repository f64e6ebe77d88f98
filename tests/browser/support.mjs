// Support for the tests: the program, a board, the system's browser, and waiting with a timeout.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { spawn } from "../spawn.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const PROGRAM = process.env.SERIAL_WS_TEST_BIN ?? join(root, "target/debug/serial-ws");
const BROWSER = process.env.SERIAL_WS_TEST_BROWSER ?? "/usr/bin/chromium";
/** How long a test waits for something that must happen, in milliseconds. */
export const TIMEOUT = 20000;

export const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

let home;

/** A folder for what the program keeps, so that nobody's own configuration is read or changed. */
function configuration() {
  if (!home) {
    home = mkdtempSync(join(tmpdir(), "serial-ws-home-"));
    process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  }
  return { ...process.env, XDG_CONFIG_HOME: home };
}

/** Polls `look` until its result is truthy, and returns the result. */
export async function until(what, look, timeout = TIMEOUT) {
  const end = Date.now() + timeout;
  for (;;) {
    const result = await look();
    if (result) return result;
    if (Date.now() > end) assert.fail(`waited ${timeout} ms for ${what}`);
    await sleep(30);
  }
}

/** Starts the program on a free TCP port, or on the given one. It stops when the test ends. */
export async function start(t, args, port = 0) {
  const child = spawn(PROGRAM, ["--listen", `127.0.0.1:${port}`, ...args], { env: configuration(), stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  let log = "";
  child.stderr.on("data", (data) => { log += data; });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  t.after(stop);
  const [, listening] = await until("serial-ws to listen", () => {
    assert.equal(child.exitCode, null, log);
    return log.match(/ws:\/\/127\.0\.0\.1:(\d+)/);
  });
  const url = `http://127.0.0.1:${listening}`;
  const settings = async () => (await (await fetch(`${url}/api/ports`)).json())[0].settings;
  return { port: Number(listening), url, stop, settings, log: () => log };
}

/** Creates a board at a path of its own, which can be unplugged and plugged in again. */
export async function board(t) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-board-"));
  const it = { path: join(folder, "board"), received: "", plug, unplug, send };
  let child;
  async function plug() {
    child = spawn("python3", [join(root, "tests/browser/board.py"), it.path], { stdio: ["pipe", "pipe", "inherit"] });
    let ready = false;
    child.stdout.setEncoding("latin1").on("data", (data) => {
      if (ready) it.received += data;
      else it.received += data.replace("plugged in\n", "");
      ready = true;
    });
    await until("the board to be plugged in", () => ready);
  }
  async function unplug() {
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdin.end();
    await ended;
  }
  function send(text) {
    return new Promise((resolve) => child.stdin.write(text, resolve));
  }
  await plug();
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return it;
}

/** Includes --no-sandbox, since tests often run as root in a container. */
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"];

let browser;

/** Starts a new instance of the system's browser. */
export function launch(args = []) {
  return chromium.launch({ executablePath: BROWSER, args: [...ARGUMENTS, ...args] });
}

/** Starts a browser whose tabs can be hidden and frozen. Other pages here always pretend to be visible. */
export async function tabs(t) {
  const profile = mkdtempSync(join(tmpdir(), "serial-ws-profile-"));
  const child = spawn(BROWSER, [...ARGUMENTS, "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`], { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  t.after(async () => {
    // Kill its children too, which would keep writing to the profile:
    process.kill(-child.pid, "SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  let log = "";
  child.stderr.on("data", (data) => { log += data; });
  const [address] = await until("the browser to start", () => log.match(/ws:\S+/));
  const tabs = await chromium.connectOverCDP(address, { noDefaults: true });
  return tabs.contexts()[0];
}

/** Hides a page of `tabs` behind another one during `work`, and shows it again. */
export async function hide(page, work) {
  const other = await page.context().newPage();
  await other.bringToFront();
  await until("the page to be hidden", () => page.evaluate(() => document.hidden));
  await work();
  await page.bringToFront();
  await other.close();
}

export async function quit() {
  await browser?.close();
}

/** Opens a page on which every error fails the test. */
export async function open(t, url, options = {}) {
  browser ??= await launch();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], "the page had errors");
  });
  if (url) await page.goto(url);
  return page;
}

/** Counts the pixels of a canvas that differ from the most frequent one; `sum` distinguishes pictures. */
export function pixels(page, selector) {
  return page.evaluate((selector) => {
    const canvas = document.querySelector(selector);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const words = new Uint32Array(data.buffer);
    const counts = new Map();
    let sum = 0;
    words.forEach((word, index) => {
      counts.set(word, (counts.get(word) ?? 0) + 1);
      sum = (sum * 31 + (word ^ index)) >>> 0;
    });
    return { drawn: words.length - Math.max(...counts.values()), sum, colours: counts.size };
  }, selector);
}

/** Redirects connections to localhost:8080 to the TCP port of the test. */
export async function redirect(page, port) {
  await page.addInitScript((port) => {
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      constructor(url, ...rest) {
        super(String(url).replace("localhost:8080", `127.0.0.1:${port}`), ...rest);
      }
    };
  }, port);
}

/** Serves p5 from npm in place of the CDN; the browser still checks its integrity. Returns the requested URLs. */
export async function mockCdn(page) {
  const requested = [];
  await page.route(/^https:/, (route) => {
    requested.push(route.request().url());
    if (!/\/p5@1\.11\.13\/lib\/p5\.min\.js$/.test(route.request().url())) return route.abort();
    const body = readFileSync(join(root, "tests/browser/node_modules/p5/lib/p5.min.js"));
    return route.fulfill({ body, contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } });
  });
  return requested;
}

/** Starts a plain web server on this computer, as learners use one. */
export async function serve(t, folder) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
  const server = createServer((request, response) => {
    const path = join(folder, normalize(new URL(request.url, "http://x").pathname));
    try {
      const body = readFileSync(path.endsWith("/") ? `${path}index.html` : path);
      response.setHeader("Content-Type", types[extname(path)] ?? "text/html");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Starts a proxy to serial-ws, which can be cut and restored. Its paths may begin with a prefix. */
export async function proxy(t, port, prefix = "") {
  const sockets = new Set();
  let connected = true;
  const server = listen((near) => {
    if (!connected) return near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    // Each connection has one request, whose first line is in its first packet.
    near.once("data", (data) => {
      far.write(data.toString("latin1").replace(` ${prefix}/`, " /"), "latin1");
      near.pipe(far).pipe(near);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    connected = false;
    sockets.forEach((socket) => socket.destroy());
  };
  t.after(() => {
    cut();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, cut, restore: () => { connected = true; } };
}
