// docs/coming-from.md: for each other server, pages as it has them, with the one line that the document changes.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { board, open, quit, root, serve, start, until } from "./support.mjs";

after(quit);

const sections = readFileSync(join(root, "docs/coming-from.md"), "utf8").split(/^## /m);

/** The first block of the section about `server`. */
function block(server) {
  const section = sections.find((section) => section.startsWith(`${server}\n`));
  assert.ok(section, `there is a section about ${server}`);
  return section.match(/```\w*\n([^]*?)\n```/)[1];
}

/** The arguments of the command for `server`, with the board and the folder of the test, at a TCP port of its own. */
function command(server, { path, folder } = {}) {
  const words = block(server).split(" ");
  assert.equal(words.shift(), "serial-ws");
  const listen = words.indexOf("--listen");
  if (listen >= 0) words.splice(listen, 2);
  const place = words.indexOf("--web");
  if (place >= 0) words[place + 1] = folder;
  return words.map((word) => ({ "/dev/ttyACM0": path, "--p5": "--p5=0" })[word] ?? word);
}

/** A folder with a page. */
function web(t, html) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-coming-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "index.html"), html);
  return folder;
}

/** A page as Igoe's clients and those of websocketd have them: it shows what comes, and sends what a box has. */
const page = (address) => `<!DOCTYPE html>
<input id="box"><button id="send">Send</button><ul id="log"></ul>
<script>
  const socket = new WebSocket(${address});
  socket.onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = JSON.stringify(event.data);
    document.getElementById("log").append(item);
  };
  document.getElementById("send").onclick = () => socket.send(document.getElementById("box").value);
</script>`;

const shown = (it) => it.$$eval("li", (items) => items.map((item) => JSON.parse(item.textContent)));
const connected = (it) => until("the connection", () => it.evaluate("socket.readyState === 1"));

async function say(it, text) {
  await it.fill("#box", text);
  await it.click("#send");
}

test("p5.serialport: a sketch finds its server at the TCP port of --p5", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, [uno.path, ...command("p5.serialport")]);
  const [, port] = await until("the sketches' TCP port", () => bridge.log().match(/127\.0\.0\.1:(\d+)\/ for sketches/));
  const it = await open(t, `${await serve(t, web(t, "a sketch"))}/`);
  // What the library sends and gets; tests/peers has the library itself.
  await it.evaluate((port) => {
    window.got = [];
    window.socket = new WebSocket(`ws://localhost:${port}`);
    socket.onmessage = ({ data }) => got.push(JSON.parse(data));
    socket.onopen = () => socket.send('{"method":"openserial","data":{"serialport":"/dev/cu.usbmodem1421","serialoptions":{}}}');
  }, port);
  await until("the port", () => it.evaluate("got.length === 1 && got[0].method === 'openserial'"));
  await uno.send("A");
  await until("a byte", () => it.evaluate("got.length === 2 && got[1].method === 'data' && got[1].data === 65"));
});

test("SerialToWsServer: a page at ws://localhost:8080 gets lines, and its messages reach the board", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, command("SerialToWsServer", uno));
  const it = await open(t, `${await serve(t, web(t, page(`"ws://localhost:${bridge.port}"`)))}/`);
  await connected(it);
  await until("the board", () => bridge.log().includes("is open"));
  await uno.send("\r\n300,12\r\n");
  await until("the line", async () => (await shown(it)).includes("300,12"));
  await say(it, "H");
  await until("the message", () => uno.received === "H");
});

test("ExpressWsServer: what one page sends, all get", async (t) => {
  const folder = web(t, page("`ws://${location.host}/`"));
  const bridge = await start(t, command("ExpressWsServer", { folder }));
  const pages = [await open(t, bridge.url), await open(t, bridge.url)];
  for (const it of pages) await connected(it);
  await say(pages[0], "hello");
  for (const it of pages) await until("the message", async () => (await shown(it)).includes("hello"));
  await say(pages[1], "there");
  for (const it of pages) await until("the message", async () => (await shown(it)).at(-1) === "there");
});

test("websocketd: a page gets lines, and its messages arrive as lines", async (t) => {
  const uno = await board(t);
  const folder = web(t, page("`ws://${location.host}/`"));
  const bridge = await start(t, command("websocketd", { path: uno.path, folder }));
  const it = await open(t, bridge.url);
  await connected(it);
  await until("the board", () => bridge.log().includes("is open"));
  await uno.send("\n12\n");
  await until("the line", async () => (await shown(it)).includes("12"));
  await say(it, "on");
  await until("the message", () => uno.received === "on\n");
});

test("Socket.IO: a page with the line of the document gets and sends messages", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, [uno.path]);
  const script = block("Socket.IO").replace("localhost:8080", `localhost:${bridge.port}`);
  const it = await open(t, `${await serve(t, web(t, `<!DOCTYPE html>${script}<script>
    const socket = io();
    const got = [];
    socket.on("message", (text) => got.push(text));
    socket.on("connect", () => socket.emit("client message", "hi"));
  </script>`))}/`);
  await until("the message", () => uno.received === "hi");
  await uno.send("\n7\n");
  await until("the line", () => it.evaluate("got.includes('7')"));
});
