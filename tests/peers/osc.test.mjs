// OSC with python-osc and liblo's oscdump and oscsend, at both ends, and osc.js with a board that sends OSC itself.
//
// needs program: oscdump from liblo-tools
// needs program: python3
// needs pip: python-osc==1.10.2
// needs npm: osc@2.4.5
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, opened } from "./documents.mjs";
import { folder, load, start, until } from "./support.mjs";

const env = { ...process.env, PYTHONPATH: join(folder("osc"), "python") };

/** A UDP port that was free a moment ago. */
async function freePort() {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/** Starts a program that prints a line for each message. */
function printing(t, command, ...words) {
  const child = spawn(command, words, { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return lines;
}

const RECEIVER = `
import sys
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
dispatcher = Dispatcher()
dispatcher.set_default_handler(lambda *message: print(*message, flush=True))
server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
print(server.server_address[1], flush=True)
server.serve_forever()
`;

test("python-osc receives values with and without names, and those that came before it", async (t) => {
  const near = await board(t);
  const first = printing(t, "python3", "-c", RECEIVER);
  const port = await until("python-osc to listen", () => first[0]);
  const late = await freePort();
  const bridge = await start(t, `uno=${near.path}`, "--osc", `127.0.0.1:${port}`, "--osc", `localhost:${late}`);
  await opened(bridge);
  near.send("512,3.5\n");
  await until("the values", () => first.includes("/serial/uno 512.0 3.5"));
  near.send('{"light":80,"temp":21.5}\n');
  await until("both values", () => first.includes("/serial/uno/light 80.0") && first.includes("/serial/uno/temp 21.5"));
  // It starts when all has been sent.
  const second = printing(t, "python3", "-c", RECEIVER.replace('("127.0.0.1", 0)', `("127.0.0.1", ${late})`));
  await until("the values to be sent again", () => second.includes("/serial/uno/light 80.0") && second.includes("/serial/uno 512.0 3.5"));
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  assert.ok(Number(metrics.match(/^serial_ws_osc_datagrams_total (\d+)$/m)[1]) >= 4, metrics);
});

test("oscdump receives lines", async (t) => {
  const near = await board(t);
  const port = await freePort();
  const lines = printing(t, "stdbuf", "-oL", "oscdump", String(port));
  const bridge = await start(t, `uno=${near.path}`, "--osc", `127.0.0.1:${port}`, "--osc-lines");
  await opened(bridge);
  await until("the line", () => {
    near.send("hello 5\n");
    return lines.some((line) => line.endsWith('/serial ss "uno" "hello 5"'));
  });
});

test("oscsend and python-osc write to the board", async (t) => {
  const near = await board(t);
  const port = await freePort();
  const options = ["--osc-listen", String(port), "--append", "lf"];
  const bridge = await start(t, `uno=${near.path}`, "quiet=sim,read-only", ...options);
  await opened(bridge);
  const send = (...words) => execFileSync("oscsend", ["127.0.0.1", String(port), ...words]);
  send("/send", "ss", "uno", "H");
  await until("the text", () => near.received() === "H\n");
  send("/send", "si", "uno", "7");
  await until("the number", () => near.received() === "H\n7\n");
  // Each of these is dropped, and said.
  send("/led", "s", "H");
  send("/send", "ss", "nothing", "H");
  send("/send", "ss", "quiet", "H");
  await until("the reasons", () => /expected \/send/.test(bridge.log()) && /no such port/.test(bridge.log()));
  const code = `
from pythonosc.udp_client import SimpleUDPClient
SimpleUDPClient("127.0.0.1", ${port}).send_message("/send", ["uno", b"\\xff\\x00"])
`;
  execFileSync("python3", ["-c", code], { env });
  await until("the blob", () => near.received() === "H\n7\n\xff\0\n");
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  assert.match(metrics, /^serial_ws_osc_dropped_writes_total 3$/m);
});

test("what a browser or a stranger sends is not written", async (t) => {
  const near = await board(t);
  const port = await freePort();
  const bridge = await start(t, `uno=${near.path}`, "--osc-listen", String(port));
  await opened(bridge);
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  // A binding request of STUN, the hello of DTLS and the beginning of QUIC, and text.
  const stun = Buffer.from("000100002112a442000102030405060708090a0b", "hex");
  const dtls = Buffer.from("16feff0000000000000000", "hex");
  const quic = Buffer.concat([Buffer.from("c300000001", "hex"), Buffer.alloc(1195)]);
  for (const datagram of [stun, dtls, quic, Buffer.from("/send"), Buffer.from("H\n"), Buffer.alloc(0)]) {
    await new Promise((sent) => socket.send(datagram, port, "127.0.0.1", sent));
  }
  execFileSync("oscsend", ["127.0.0.1", String(port), "/send", "ss", "uno", "!"]);
  await until("what came after it", () => near.received().length > 0);
  assert.equal(near.received(), "!");
});

test("osc.js reads what a board sends as OSC in SLIP", async (t) => {
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`, "--frame", "slip", "--baud", "9600");
  await opened(bridge);
  const osc = load("osc", "osc");
  const port = new osc.WebSocketPort({ url: `${bridge.url}/?view=frames`, metadata: true });
  t.after(() => port.close());
  const messages = [];
  port.on("message", (message) => messages.push(message));
  const ready = once(port, "ready");
  port.open();
  await ready;
  // 219 and 192 are those that SLIP escapes.
  const sent = { address: "/tilt", args: [{ type: "i", value: 219 }, { type: "i", value: 192 }] };
  const slip = Array.from(osc.writePacket(sent), (byte) => ({ 192: [219, 220], 219: [219, 221] })[byte] ?? [byte]);
  near.send(Buffer.from([192, ...slip.flat(), 192]));
  await until("the message", () => messages.length > 0);
  assert.deepEqual(messages[0], sent);
});
