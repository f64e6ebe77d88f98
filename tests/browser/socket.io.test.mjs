// Pages made for Socket.IO, with the io() of serial-ws in a real browser and the real program.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { board, open, quit, serve, start, until } from "./support.mjs";

after(quit);

/** A page as Socket.IO's teaching material has them: a list of messages, and a form to send one. */
const chat = (script, address = "") => `<!DOCTYPE html>
<ul id="messages"></ul>
<form id="form"><input id="input"><button>Send</button></form>
<script src="${script}"></script>
<script>
  const socket = io(${address});
  const form = document.getElementById("form");
  const input = document.getElementById("input");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    socket.emit("client message", input.value + "\\n");
  });
  socket.on("message", (message) => {
    const item = document.createElement("li");
    item.textContent = message;
    document.getElementById("messages").appendChild(item);
  });
</script>`;

function folder(t, files) {
  const path = mkdtempSync(join(tmpdir(), "serial-ws-io-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** Asserts that the page shows what the board sends, and that the board gets what is typed there. */
async function chats(page, uno) {
  await until("the page to connect", () => page.evaluate("socket.connected"));
  // The first line may be the rest of one.
  await uno.send("\n512\n");
  const shown = () => page.$$eval("li", (items) => items.map((item) => item.textContent));
  await until("the reading", async () => (await shown()).includes("512"));
  await page.fill("#input", "forward");
  await page.click("button");
  await until("the message", () => uno.received === "forward\n");
}

/** Opens an empty page of serial-ws that has io(), and a socket. */
async function sketch(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  const page = await open(t, `${bridge.url}/healthz`);
  await page.addScriptTag({ url: `${bridge.url}/socket.io/socket.io.js` });
  await page.evaluate(() => {
    window.got = [];
    window.socket = io();
    for (const name of ["connect", "disconnect", "message", "data", "light", "state", "a", "b"]) {
      socket.on(name, (...values) => got.push([name, ...values]));
    }
  });
  const got = (name) => page.evaluate((name) => got.filter(([event]) => event === name).map(([, value]) => value), name);
  await until("the connection", () => page.evaluate("socket.connected"));
  await until("the board", async () => (await (await fetch(`${bridge.url}/api/status`)).json()).ports[0].status.state === "open");
  await uno.send("\nready\n");
  await until("the first line", async () => (await got("message")).includes("ready"));
  return { uno, bridge, page, got };
}

test("a teaching page runs from the folder of --web", async (t) => {
  const uno = await board(t);
  const web = folder(t, { "index.html": chat("/socket.io/socket.io.js") });
  const bridge = await start(t, ["--port", `uno=${uno.path}`, "--web", web]);
  await chats(await open(t, bridge.url), uno);
});

test("a teaching page of another web server runs with io() from serial-ws, with and without an address", async (t) => {
  for (const given of [true, false]) {
    const uno = await board(t);
    const bridge = await start(t, ["--port", `uno=${uno.path}`]);
    const address = given ? `"http://localhost:${bridge.port}"` : "";
    const page = chat(`${bridge.url}/socket.io/socket.io.js`, address);
    await chats(await open(t, `${await serve(t, folder(t, { "index.html": page }))}/`), uno);
  }
});

test("a page of one serial-ws reaches another one at its TCP port", async (t) => {
  const uno = await board(t);
  const other = await start(t, ["--port", `uno=${uno.path}`]);
  const web = folder(t, { "index.html": chat("/socket.io/socket.io.js", `"http://localhost:${other.port}"`) });
  const bridge = await start(t, ["--port", "sim", "--web", web]);
  await chats(await open(t, bridge.url), uno);
});

test("the folder's own socket.io.js comes first", async (t) => {
  const web = folder(t, { "index.html": "<script src='/socket.io/socket.io.js'></script>", "socket.io/socket.io.js": "window.mine = true" });
  const bridge = await start(t, ["--port", "sim", "--web", web]);
  const page = await open(t, bridge.url);
  assert.equal(await page.evaluate("window.mine"), true);
  assert.equal(await page.evaluate("typeof io"), "undefined");
});

test("each line comes as message and data, and what has a name in it by that name", async (t) => {
  const { uno, got } = await sketch(t);
  await uno.send('512\nlight:80,a:2\nstate: on\n{"light":81,"b":{"c":[1]}}\nconnect:1\nmessage:2\nend\n');
  await until("the last line", async () => (await got("message")).includes("end"));
  const lines = ["512", "light:80,a:2", "state: on", '{"light":81,"b":{"c":[1]}}', "connect:1", "message:2", "end"];
  const after = async (name) => (await got(name)).slice((await got(name)).indexOf("ready") + 1);
  assert.deepEqual(await after("message"), lines);
  assert.deepEqual(await after("data"), lines);
  assert.deepEqual(await got("light"), [80, 81]);
  assert.deepEqual(await got("a"), [2]);
  assert.deepEqual(await got("state"), ["on"]);
  assert.deepEqual(await got("b"), [{ c: [1] }]);
  assert.equal((await got("connect")).length, 1, "no line is an event of the connection");
});

test("emit and send write text, numbers and bytes, whatever the event is called", async (t) => {
  const { uno, page } = await sketch(t);
  await page.evaluate(() => {
    socket.emit("client message", "H").emit("number", 7).emit("led", true).emit("end").emit("object", { led: 1 });
    socket.send("text");
    socket.emit("bytes", new Uint8Array([0, 255]).buffer);
    socket.emit("view", new Uint8Array([1, 2]), () => { window.isWritten = true; });
  });
  await until("all of it", () => uno.received.length >= 23);
  assert.equal(uno.received, 'H7true{"led":1}text\0\xff\x01\x02');
  await until("the acknowledgement", () => page.evaluate("window.isWritten"));
  const error = await page.evaluate(() => { try { socket.emit("connect", "x"); } catch (error) { return error.message; } });
  assert.match(error, /reserved event name/);
});

test("what a page emits at once is written when it is connected", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, `${bridge.url}/healthz`);
  await page.addScriptTag({ url: `${bridge.url}/socket.io/socket.io.js` });
  await page.evaluate(() => { io().emit("hello", "first\n").emit("hello", "second\n"); });
  await until("both", () => uno.received === "first\nsecond\n");
});

test("once, off, id, disconnect and connect are those of Socket.IO", async (t) => {
  const { uno, page, got } = await sketch(t);
  await page.evaluate(() => {
    window.once = 0;
    window.removed = 0;
    const handler = () => removed++;
    socket.once("message", () => once++).on("message", handler).off("message", handler);
  });
  await uno.send("1\n2\n");
  await until("both lines", async () => (await got("message")).includes("2"));
  assert.deepEqual(await page.evaluate("[once, removed]"), [1, 0]);
  assert.match(await page.evaluate("socket.id"), /^\w+\.\d+$/);
  await page.evaluate("void socket.disconnect()");
  assert.deepEqual(await got("disconnect"), ["io client disconnect"]);
  assert.deepEqual(await page.evaluate("[socket.connected, socket.id]"), [false, null].map((value) => value ?? undefined));
  await page.evaluate("void socket.connect()");
  await until("the connection", () => page.evaluate("socket.connected"));
  await page.evaluate("void socket.off()");
});

test("a page is told when serial-ws ends, why it cannot connect, and is connected again when it is back", async (t) => {
  const { bridge, page, got, uno } = await sketch(t);
  await page.evaluate(() => {
    window.errors = [];
    socket.on("connect_error", (error) => errors.push(error.message));
  });
  await bridge.stop();
  await until("the end", async () => (await got("disconnect")).length === 1);
  assert.deepEqual(await got("disconnect"), ["transport close"]);
  await until("the reason", () => page.evaluate("errors.some((text) => text.includes('serial-ws does not answer'))"));
  await page.evaluate("void socket.emit('late', 'x')");
  await start(t, ["--port", `uno=${uno.path}`], bridge.port);
  await until("the connection", () => page.evaluate("socket.connected"));
  await uno.send("\nagain\n");
  await until("a line", async () => (await got("message")).includes("again"));
  assert.equal(uno.received, "", "what was emitted meanwhile is not written later");
});
