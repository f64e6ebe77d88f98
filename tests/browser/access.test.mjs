// The access policy, as seen by pages in a real browser.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { spawn } from "../spawn.mjs";
import { launch, open, PROGRAM, proxy, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** Opens a page from another web server on this computer. */
async function local(t) {
  const other = await serve(t, root);
  return open(t, `${other}/web/plain/chat.html`);
}

/** Opens a page of a web site: its host name is foreign but resolves to this computer. */
async function foreign(t, url, options = {}) {
  const browser = await launch(["--host-resolver-rules=MAP *.example 127.0.0.1"]);
  t.after(() => browser.close());
  const page = await browser.newPage(options);
  await page.goto(url.replace("127.0.0.1", "evil.example"));
  return page;
}

/** Opens a WebSocket in a page or frame. Returns its first message, or its close code. */
const socket = (page, url) => page.evaluate((url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => resolve(data);
  socket.onclose = ({ code }) => resolve(`closed ${code}`);
}), url.replace("http", "ws"));

/** Fetches a URL in a page or frame. Returns the status and text, or the error. */
const read = (page, url) => page.evaluate(async (url) => {
  try {
    const response = await fetch(url);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}, url);

/** Starts the program at a terminal, into which the test can type. */
async function startAtTerminal(t) {
  const home = mkdtempSync(join(tmpdir(), "serial-ws-home-"));
  const terminal = ["-c", "import pty, sys; pty.spawn(sys.argv[1:])", PROGRAM];
  const child = spawn("python3", [...terminal, "--listen", "127.0.0.1:0", "--port", "sim"], {
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  let shown = "";
  child.stdout.on("data", (data) => { shown += data; });
  t.after(async () => {
    child.stdin.write("\x03");
    await ended;
    rmSync(home, { recursive: true, force: true });
  });
  const [, port] = await until("serial-ws to listen", () => shown.match(/ws:\/\/127\.0\.0\.1:(\d+)/));
  return { url: `http://127.0.0.1:${port}`, shown: () => shown, type: (text) => child.stdin.write(text) };
}

test("a page from another web server on this computer works", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await local(t);
  assert.match(await socket(page, bridge.url), /^\d+,\d+,[01]$/);
  assert.match(await read(page, `${bridge.url}/api/status`), /^200 \{"name":"serial-ws"/);
});

test("a sandboxed frame is refused, and works when the person at the terminal allows it", async (t) => {
  const bridge = await startAtTerminal(t);
  const page = await local(t);
  await page.evaluate(() => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = "<p>An advertisement</p>";
    document.body.append(frame);
  });
  const frame = await until("the frame", () => page.frames()[1]);
  assert.equal(await socket(frame, bridge.url), "closed 1006");
  await until("the question", () => /A page with no address wants to[^]*\[n\] no/.test(bridge.shown()));
  assert.equal(await socket(frame, bridge.url), "closed 1006");
  assert.match(await read(frame, `${bridge.url}/hello`), /"origin":"null","allowed":false/);
  bridge.type("y\n");
  await until("the frame to be allowed", async () => /^\d+,/.test(await socket(frame, bridge.url)));
});

test("a page of a web site can neither read, load nor do anything, and learns why", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await foreign(t, `${await serve(t, root)}/web/plain/chat.html`);
  assert.equal(await socket(page, bridge.url), "closed 1006");
  const paths = ["/", "/api/status", "/api/ports", "/metrics", "/healthz"];
  for (const path of paths) assert.match(await read(page, bridge.url + path), /Failed to fetch/, path);
  const loaded = await page.evaluate(async (url) => {
    const load = (name, source) => new Promise((resolve) => {
      const element = Object.assign(document.createElement(name), { onload: () => resolve(true), onerror: () => resolve(false) });
      document.body.append(Object.assign(element, source));
    });
    return [
      await load("script", { src: `${url}/api/status` }),
      await load("img", { src: `${url}/_serial-ws/icon.svg` }),
      await load("link", { rel: "stylesheet", href: `${url}/_serial-ws/page.css` }),
    ];
  }, bridge.url);
  assert.deepEqual(loaded, [false, false, false]);
  // A simple request, like that of a form, which browsers send without a preflight.
  await page.evaluate((url) => fetch(`${url}/api/ports/sim/release`, { method: "POST", mode: "no-cors" }).catch(() => {}), bridge.url);
  const status = await (await fetch(`${bridge.url}/api/status`)).json();
  assert.equal(status.ports[0].status.state, "open");

  const [, hello] = (await read(page, `${bridge.url}/hello`)).match(/^200 (.*)$/);
  const { allowed, remedy } = JSON.parse(hello);
  assert.equal(allowed, false);
  assert.match(remedy, /--allow-origin http:\/\/evil\.example/);
  assert.equal(hello.includes("sim"), false);
  assert.match(bridge.log(), /refused: page from http:\/\/evil\.example/);
});

test("a host name that was rebound to this computer reaches nothing", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  // The page of the error may do nothing by itself:
  const page = await foreign(t, bridge.url, { bypassCSP: true });
  assert.match(await page.textContent("body"), /not a name of this computer/);
  const own = bridge.url.replace("127.0.0.1", "evil.example");
  for (const path of ["/", "/api/status", "/hello", "/serial-ws.js"]) assert.match(await read(page, own + path), /^403 /, path);
  assert.equal(await socket(page, own), "closed 1006");
});

const TOKEN = "correct-horse-battery";

/** Writes a file with the token, and returns its path. */
function tokenFile(t) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-token-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "token");
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  return file;
}

const isOpen = (page) => until("the port to be open", () => page.locator("#state[data-state=open]").count());

test("a link with the token opens the page, even from another site", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--token", tokenFile(t)]);
  const url = `${bridge.url}/?token=${TOKEN}`;
  const page = await foreign(t, `${await serve(t, root)}/web/plain/chat.html`);
  await page.evaluate((url) => {
    document.body.append(Object.assign(document.createElement("a"), { href: url, id: "link", textContent: "link" }));
  }, url);
  await page.click("#link");
  await isOpen(page);
  assert.equal(page.url(), `${bridge.url}/`);
  assert.equal(await page.evaluate(() => document.cookie), "");

  const typed = await open(t, url);
  await isOpen(typed);
  assert.equal(typed.url(), `${bridge.url}/`);
});

test("another server of this computer sees the id of a session, not the token, and cannot lock the page out", async (t) => {
  const token = tokenFile(t);
  const bridge = await start(t, ["--port", "sim", "--token", token]);
  const page = await open(t, `${bridge.url}/?token=${TOKEN}`);
  await isOpen(page);

  let seen;
  const server = createServer((request, response) => {
    seen = request.headers.cookie;
    response.setHeader("Content-Type", "text/html");
    response.end("<p>Another server of this computer</p>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const other = await page.context().newPage();
  await other.goto(`http://127.0.0.1:${server.address().port}/`);
  assert.match(seen, new RegExp(`^serial-ws-${bridge.port}=[\\w-]{43}$`));
  assert.equal(seen.includes(TOKEN), false);

  // By requests that name an origin, and by those that name none.
  await other.evaluate(async (url) => {
    for (const mode of ["cors", "no-cors"]) {
      for (let n = 0; n < 40; n++) await fetch(`${url}/hello?token=${mode}-${n}`, { mode }).catch(() => {});
      for (let n = 0; n < 40; n++) await fetch(`${url}/?token=${mode}-${n}`, { mode }).catch(() => {});
    }
  }, bridge.url);
  await page.reload();
  await isOpen(page);
  const typed = await open(t, `${bridge.url}/?token=${TOKEN}`);
  await isOpen(typed);

  // The session outlives the program.
  await bridge.stop();
  const again = await start(t, ["--port", "sim", "--token", token], bridge.port);
  await isOpen(page);
  await page.reload();
  await isOpen(page);
  await again.stop();
  writeFileSync(token, "another-horse-battery\n");
  await start(t, ["--port", "sim", "--token", token], bridge.port);
  await page.reload();
  assert.match(await page.textContent("body"), /session has ended/);
});

/** Enters a token into the page of an error. */
async function enter(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
}

test("a page without the token has a field for it, and leads back to where it was", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-web-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "a"));
  writeFileSync(join(folder, "a/b c.html"), "<title>mine</title><p>My page</p>");
  const bridge = await start(t, ["--port", "sim", "--token", tokenFile(t), "--web", folder]);
  const { url } = await proxy(t, bridge.port, "/board");
  for (const place of [bridge.url, `${url}/board`]) {
    const page = await open(t, null, { viewport: { width: 390, height: 700 } });
    const requests = [];
    page.on("request", (request) => requests.push(request));
    const violations = [];
    page.on("console", (message) => { if (/Content Security Policy/.test(message.text())) violations.push(message.text()); });
    const answer = await page.goto(`${place}/a/b%20c.html?x=1&token=old&y`);
    assert.equal(answer.status(), 401);
    assert.match(await page.textContent("body"), /a wrong token/);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    requests.length = 0;
    await enter(page, "wrong-horse-battery");
    await page.waitForURL(`${place}/a/b%20c.html?x=1&y`);
    assert.match(await page.textContent("body"), /a wrong token/);
    await enter(page, ` ${bridge.url}/?token=${TOKEN} `);
    await page.getByText("My page").waitFor();
    assert.equal(page.url(), `${place}/a/b%20c.html?x=1&y`);
    for (const request of requests) {
      const { referer = "" } = await request.allHeaders();
      assert.doesNotMatch(request.url() + referer, /horse|token=/);
    }
    assert.deepEqual(violations, []);
    assert.doesNotMatch(bridge.log(), /horse/);
  }
});

test("where nothing is, a page says what is there, also under a prefix", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-web-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "<i>x.html"), "<p>My page</p>");
  const bridge = await start(t, ["--port", "sim", "--web", folder]);
  const { url } = await proxy(t, bridge.port, "/board");
  const page = await open(t);
  for (const path of ["/", "/no/such/page"]) {
    assert.equal((await page.goto(`${url}/board${path}`)).status(), 404);
    await page.getByRole("link", { name: "<i>x.html" }).click();
    await page.getByText("My page").waitFor();
    await page.goBack();
    await page.getByRole("link", { name: /built-in page/ }).click();
    await isOpen(page);
    assert.equal(page.url(), `${url}/board/_serial-ws/`);
  }
});

test("the page to share shows the token to the operator, and no page can read it", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--lan", "--listen", "0.0.0.0:0"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  const popup = page.waitForEvent("popup");
  await page.evaluate(() => { window.shared = open("/_serial-ws/share"); });
  const shared = await popup;
  await shared.waitForLoadState();
  assert.match(await shared.textContent("body"), /\?token=[^]*Only you see this page|This computer is in no network/);
  // What it shows is for eyes only:
  const text = await page.evaluate(async () => {
    try {
      return window.shared.document?.body.textContent;
    } catch (error) {
      return error.name;
    }
  });
  assert.notEqual(text, await shared.textContent("body"));
  assert.match(await read(page, `${bridge.url}/_serial-ws/share`), /^403 /);
  const framed = await page.evaluate(() => new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), { src: "/_serial-ws/share" });
    frame.onload = () => resolve(frame.contentDocument?.body.textContent ?? "");
    document.body.append(frame);
    setTimeout(() => resolve(""), 3000);
  }));
  assert.doesNotMatch(framed, /token=/);
  assert.equal(await shared.evaluate(() => self.origin), "null");
  assert.equal(await shared.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});
