// Node-RED reads the board and writes to it, by the broker (docs/mqtt.md) and by a WebSocket (docs/other-programs.md).
//
// large: 117 MB
// needs program: mosquitto
// needs npm: node-red@4.1.15
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, folder as ownFolder, opened } from "./documents.mjs";
import { folder, freePort, start, until } from "./support.mjs";

const listens = (port) =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => done(true)).on("error", () => done(false));
    socket.on("connect", () => socket.end());
  });

/** Starts Node-RED with these nodes, which append what they get to the file `out` of its folder. */
async function nodeRed(t, nodes) {
  const place = ownFolder(t);
  const port = await freePort();
  const out = join(place, "out");
  writeFileSync(out, "");
  const file = { id: "file", type: "file", z: "tab", filename: out, filenameType: "str", appendNewline: true, overwriteFile: "false", wires: [[]] };
  const json = { id: "json", type: "json", z: "tab", property: "payload", action: "str", wires: [["file"]] };
  // A node without a place in its tab is taken for a configuration.
  const placed = [file, json, ...nodes].map((node) => (node.z ? { x: 100, y: 100, ...node } : node));
  writeFileSync(join(place, "flows.json"), JSON.stringify([{ id: "tab", type: "tab", label: "t" }, ...placed]));
  const child = spawn("node", [join(folder("node-red"), "node_modules/node-red/red.js"), "-u", place, "-p", String(port), "flows.json"], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  return () => readFileSync(out, "utf8").split("\n").filter(Boolean);
}

test("values by the broker, and a write", async (t) => {
  const port = await freePort();
  const place = ownFolder(t);
  writeFileSync(join(place, "mosquitto.conf"), `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  const broker = spawn("mosquitto", ["-c", join(place, "mosquitto.conf")], { stdio: "ignore" });
  t.after(() => broker.kill());
  await until("the broker to listen", () => listens(port));
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`, "--mqtt", `mqtt://127.0.0.1:${port}/lab`, "--mqtt-write", "--append", "lf");
  await opened(bridge);
  const got = await nodeRed(t, [
    { id: "broker", type: "mqtt-broker", broker: "127.0.0.1", port: String(port), clientid: "", protocolVersion: "4", keepalive: "60", cleansession: true },
    { id: "in", type: "mqtt in", z: "tab", topic: "lab/uno/values", qos: "0", datatype: "json", broker: "broker", inputs: 0, wires: [["json"]] },
    { id: "inject", type: "inject", z: "tab", props: [{ p: "payload" }], repeat: "1", once: true, onceDelay: 0.1, payload: "H", payloadType: "str", wires: [["out"]] },
    { id: "out", type: "mqtt out", z: "tab", topic: "lab/uno/write", qos: "0", retain: "false", broker: "broker", wires: [] },
  ]);
  await until("Node-RED to write", () => near.received().includes("H\n"));
  near.send("light:80,temp:21.5\n");
  await until("the values", () => got().includes('{"light":80,"temp":21.5}'));
});

test("values by a WebSocket, and a write", async (t) => {
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`, "--append", "lf");
  await opened(bridge);
  const client = (id, path) => ({ id, type: "websocket-client", path: `${bridge.url}${path}`, tls: "", wholemsg: "false", hb: "0", subprotocol: "", headers: [] });
  const got = await nodeRed(t, [
    client("values", "/?view=values"),
    { id: "in", type: "websocket in", z: "tab", server: "", client: "values", wires: [["file"]] },
    { id: "inject", type: "inject", z: "tab", props: [{ p: "payload" }], repeat: "1", once: true, onceDelay: 0.1, payload: "H", payloadType: "str", wires: [["out"]] },
    { id: "out", type: "websocket out", z: "tab", server: "", client: "values", wires: [] },
  ]);
  await until("Node-RED to write", () => near.received().includes("H\n"));
  near.send("light:80,temp:21.5\n");
  await until("the values", () => got().length > 0);
  assert.equal(got()[0], '{"light":80,"temp":21.5}');
});
