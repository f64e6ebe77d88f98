// A real broker with a TCP, an encrypted and a WebSocket listener: mosquitto. Its clients are mosquitto_sub and
// mosquitto_pub, paho of Python, and MQTT.js by WebSocket, in Node and in the page of web/mqtt in Chromium.
//
// needs program: mosquitto
// needs program: mosquitto_sub from mosquitto-clients
// needs program: openssl
// needs program: chromium from chromium
// needs program: python3
// needs npm: mqtt@5.16.0
// needs npm: playwright-core@1.64.0
// needs pip: paho-mqtt==2.1.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, opened } from "./documents.mjs";
import { folder, freePort, load, root, start, until, within } from "./support.mjs";

const USER = "lab";
const PASSWORD = "correct horse";

/** Makes a folder of the test, with a certificate authority, a certificate of localhost, and a file of passwords. */
function place(t) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-mqtt-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const openssl = (...words) => execFileSync("openssl", words, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2");
  openssl("req", "-new", ...key, "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=localhost");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n");
  openssl("x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
    "-out", "broker.pem", "-days", "2", "-extfile", "names");
  execFileSync("mosquitto_passwd", ["-b", "-c", join(folder, "passwords"), USER, PASSWORD]);
  writeFileSync(join(folder, "password"), `${PASSWORD}\n`, { mode: 0o600 });
  return folder;
}

/** Starts a broker. What it keeps is gone when it ends. */
async function broker(t, options = {}) {
  const files = place(t);
  const ports = options.ports ?? [await freePort(), await freePort(), await freePort()];
  const access = options.passwords ? `password_file ${join(files, "passwords")}` : "allow_anonymous true";
  const user = process.getuid?.() === 0 ? "user root\n" : "";
  writeFileSync(join(files, "mosquitto.conf"), `${user}per_listener_settings false
${access}
listener ${ports[0]} 127.0.0.1
listener ${ports[1]} 127.0.0.1
certfile ${join(files, "broker.pem")}
keyfile ${join(files, "broker.key")}
listener ${ports[2]} 127.0.0.1
protocol websockets
`);
  const child = spawn("mosquitto", ["-c", join(files, "mosquitto.conf")], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (data) => (log += data));
  const stop = async () => {
    child.kill();
    await ended;
  };
  t.after(stop);
  await until("the broker to listen", () => log.includes("running") && log);
  const [tcp, tls, ws] = ports;
  return { tcp, tls, ws, ca: join(files, "ca.pem"), password: join(files, "password") };
}

const publish = (port, ...words) =>
  execFileSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", String(port), ...words]);

/** Subscribes by mosquitto_sub. `messages` has each as its topic, its payload and whether the broker had kept it. */
async function subscribe(t, port, topic, ...access) {
  const probe = "probe";
  const words = ["-h", "127.0.0.1", "-p", String(port), "-t", topic, "-t", probe, "-F", "%r %t %p", ...access];
  const child = spawn("mosquitto_sub", words, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const messages = [];
  let isThere = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [, kept, on, payload] = line.match(/^([01]) (\S+) (.*)$/) ?? [];
    if (on === probe) isThere = true;
    else if (on) messages.push({ topic: on, payload, isKept: kept === "1" });
  });
  await until("mosquitto_sub to subscribe", () => {
    publish(port, ...access, "-t", probe, "-m", "1");
    return isThere;
  });
  const on = (wanted) => messages.filter((message) => message.topic === wanted).map((message) => message.payload);
  return { messages, on };
}

test("lines, objects, values and statuses reach those who subscribe", async (t) => {
  const there = await broker(t);
  const near = await board(t);
  const { on, messages } = await subscribe(t, there.tcp, "lab/#");
  const bridge = await start(t, `uno=${near.path}`, "--mqtt", `mqtt://127.0.0.1:${there.tcp}/lab`, "--mqtt-raw");
  await until("serial-ws to be there", () => on("lab/bridge").includes("online"));
  await opened(bridge);
  near.send("light:80,temp:21.5\n");
  assert.equal(await until("the line", () => on("lab/uno/line")[0]), "light:80,temp:21.5");
  assert.deepEqual(JSON.parse(await until("the values", () => on("lab/uno/values")[0])), { light: 80, temp: 21.5 });
  const object = JSON.parse(await until("the object", () => on("lab/uno/json").find((text) => text.includes('"line"'))));
  assert.equal(object.text, "light:80,temp:21.5");
  assert.equal(object.seq, 1);
  assert.ok(Math.abs(object.t - Date.now() / 1000) < 60);
  await until("the bytes", () => on("lab/uno/raw").length > 0);
  assert.equal(messages.some((message) => message.isKept), false);

  // Whoever subscribes later gets what the broker has kept.
  const late = await subscribe(t, there.tcp, "lab/#");
  await until("what was kept", () => late.messages.length >= 4);
  const kept = late.messages.filter((message) => message.isKept).map((message) => message.topic).sort();
  assert.deepEqual(kept, ["lab/bridge", "lab/uno/json", "lab/uno/status", "lab/uno/values"]);

  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  assert.match(metrics, /^serial_ws_mqtt_connected 1$/m);
  await bridge.stop();
  await until("its farewell", () => on("lab/bridge").at(-1) === "offline");
});

test("the broker tells when serial-ws has vanished", async (t) => {
  const there = await broker(t);
  const { on } = await subscribe(t, there.tcp, "serial-ws/bridge");
  const bridge = await start(t, "sim", "--mqtt", `mqtt://127.0.0.1:${there.tcp}`);
  await until("serial-ws to be there", () => on("serial-ws/bridge").includes("online"));
  await bridge.kill();
  await until("the will", () => on("serial-ws/bridge").at(-1) === "offline");
});

test("what others publish is written once, and nothing that was kept", async (t) => {
  const there = await broker(t);
  const near = await board(t);
  publish(there.tcp, "-r", "-t", "lab/uno/write", "-m", "kept");
  const options = ["--mqtt", `mqtt://127.0.0.1:${there.tcp}/lab`, "--mqtt-write", "--append", "lf"];
  const bridge = await start(t, `uno=${near.path}`, "quiet=sim,read-only", ...options);
  const { on } = await subscribe(t, there.tcp, "lab/bridge");
  await until("serial-ws to be there", () => on("lab/bridge").includes("online"));
  await until("the kept one to be dropped", () => bridge.log().includes("the broker had kept it"));
  publish(there.tcp, "-t", "lab/quiet/write", "-m", "no");
  publish(there.tcp, "-t", "lab/nothing/write", "-m", "no");
  publish(there.tcp, "-t", "lab/uno/write", "-m", "x".repeat(70000));
  publish(there.tcp, "-t", "lab/uno/write", "-m", "H");
  await until("the write", () => near.received().endsWith("H\n"));
  assert.equal(near.received(), "H\n");
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  assert.match(metrics, /^serial_ws_mqtt_dropped_writes_total 4$/m);
});

test("without --mqtt-write nothing is written", async (t) => {
  const there = await broker(t);
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`, "--mqtt", `mqtt://127.0.0.1:${there.tcp}/lab`);
  const { on } = await subscribe(t, there.tcp, "lab/#");
  await opened(bridge);
  await until("serial-ws to be there", () => on("lab/bridge").includes("online"));
  publish(there.tcp, "-t", "lab/uno/write", "-m", "H");
  await until("the message to have passed the broker", () => on("lab/uno/write").length > 0);
  near.send("done\n");
  await until("the line", () => on("lab/uno/line").includes("done"));
  assert.equal(near.received(), "");
});

/** Passes connections on to `port`, until it is told to cut them and let none in. */
async function cable(t, port) {
  const sockets = new Set();
  let isWhole = true;
  const server = listen((near) => {
    if (!isWhole) return near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const set = (whole) => {
    isWhole = whole;
    if (!whole) sockets.forEach((socket) => socket.destroy());
  };
  return { port: server.address().port, set };
}

/** The numbers of lines that were published, and how many were said to be missed before each. */
function numbers(objects) {
  const all = [];
  let missed = 0;
  for (const object of objects.map((text) => JSON.parse(text))) {
    if (object.type === "missed") missed += object.lines;
    if (object.type !== "line") continue;
    all.push({ seq: object.seq, missed });
    missed = 0;
  }
  return all;
}

/** Cuts the cable to the broker while a board counts, and returns what those who subscribed have got. */
async function cut(t, lines, ...options) {
  const there = await broker(t);
  const near = await board(t);
  const way = await cable(t, there.tcp);
  const { on } = await subscribe(t, there.tcp, "lab/#");
  const bridge = await start(t, `uno=${near.path}`, "--mqtt", `mqtt://127.0.0.1:${way.port}/lab`, ...options);
  await until("serial-ws to be there", () => on("lab/bridge").at(-1) === "online");
  await opened(bridge);
  near.send("first\n");
  await until("the first line", () => on("lab/uno/line").length === 1);
  way.set(false);
  await until("serial-ws to notice", () => bridge.log().includes("lost the broker"));
  for (let at = 0; at < lines; at += 100) {
    near.send(Array.from({ length: 100 }, (_, more) => `line ${at + more}\n`).join(""));
    await until("the board to be read", async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
      return Number(metrics.match(/lines_total\{port="uno"\} (\d+)/)[1]) >= at + 101;
    });
  }
  way.set(true);
  await until("serial-ws to come back", () => on("lab/bridge").filter((text) => text === "online").length > 1);
  near.send("last\n");
  await until("the last line", () => on("lab/uno/line").at(-1) === "last");
  return { bridge, seen: numbers(on("lab/uno/json")) };
}

test("while the broker is away, history keeps what it then gets", async (t) => {
  const LINES = 2000;
  const { seen } = await cut(t, LINES);
  const expected = Array.from({ length: LINES + 2 }, (_, index) => ({ seq: index + 1, missed: 0 }));
  assert.deepEqual(seen, expected);
});

test("what history has lost is said exactly", async (t) => {
  const LINES = 5000;
  const { bridge, seen } = await cut(t, LINES, "--history", "16KiB");
  assert.equal(seen.at(-1).seq, LINES + 2);
  let before = 0;
  for (const { seq, missed } of seen) {
    assert.equal(seq, before + missed + 1);
    before = seq;
  }
  const missed = seen.reduce((sum, each) => sum + each.missed, 0);
  assert.ok(missed > LINES / 2, `${missed}`);
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  assert.match(metrics, new RegExp(`^serial_ws_mqtt_missed_lines_total ${missed}$`, "m"));
  assert.match(metrics, /^serial_ws_mqtt_reconnects_total 1$/m);
});

test("it waits for a broker that starts later", async (t) => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const bridge = await start(t, "sim", "--mqtt", `mqtt://127.0.0.1:${ports[0]}`);
  await until("a sentence", () => bridge.log().includes("nothing listens there. Check that the broker runs"));
  const there = await broker(t, { ports });
  const { on } = await subscribe(t, there.tcp, "serial-ws/#");
  await until("lines", () => on("serial-ws/sim/line").length > 0);
});

test("an encrypted connection trusts the authority that was given, and no other", async (t) => {
  const there = await broker(t);
  const url = `mqtts://localhost:${there.tls}/lab`;
  const distrusting = await start(t, "sim", "--mqtt", url);
  await until("a sentence", () => distrusting.log().includes("--mqtt-ca FILE"));
  const { on } = await subscribe(t, there.tcp, "lab/sim/line");
  assert.equal(on("lab/sim/line").length, 0);
  await start(t, "sim", "--mqtt", url, "--mqtt-ca", there.ca);
  await until("lines", () => on("lab/sim/line").length > 0);
  const plain = await start(t, "sim", "--mqtt", `mqtts://localhost:${there.tcp}`, "--mqtt-ca", there.ca);
  await until("a sentence", () => plain.log().includes("write mqtt:// instead of mqtts://"));
});

test("a broker that wants a password gets it from a file or a variable", async (t) => {
  const there = await broker(t, { passwords: true });
  const url = `mqtt://127.0.0.1:${there.tcp}`;
  const bare = await start(t, "sim", "--mqtt", url);
  await until("a sentence", () => bare.log().includes("--mqtt-user NAME --mqtt-password FILE"));
  const wrong = await start(t, "sim", "--mqtt", url, "--mqtt-user", "stranger", "--mqtt-password", there.password);
  await until("a sentence", () => wrong.log().includes("it does not let this user in"));
  const { on } = await subscribe(t, there.tcp, "serial-ws/#", "-u", USER, "-P", PASSWORD);
  const right = await start(t, "sim", "--mqtt", url, "--mqtt-user", USER, "--mqtt-password", there.password);
  await until("lines", () => on("serial-ws/sim/line").length > 0);
  await right.stop();
  const before = on("serial-ws/bridge").length;
  process.env.SERIAL_WS_MQTT_PASSWORD = PASSWORD;
  try {
    await start(t, "sim", "--mqtt", url, "--mqtt-user", USER);
  } finally {
    delete process.env.SERIAL_WS_MQTT_PASSWORD;
  }
  await until("it to be there again", () => on("serial-ws/bridge").slice(before).includes("online"));
});

test("paho reads the objects", async (t) => {
  const there = await broker(t);
  await start(t, "sim", "--mqtt", `mqtt://127.0.0.1:${there.tcp}`);
  const code = `
import json, paho.mqtt.subscribe as subscribe
hello, *lines = subscribe.simple("serial-ws/sim/json", port=${there.tcp}, msg_count=21)
assert hello.retain and json.loads(hello.payload)["type"] == "hello"
for line in lines:
    print(json.loads(line.payload)["seq"])
`;
  const env = { ...process.env, PYTHONPATH: join(folder("mqtt"), "python") };
  const child = spawn("python3", ["-c", code], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (data) => (printed += data));
  await within("paho", once(child, "exit"));
  const read = printed.trim().split("\n").map(Number);
  assert.deepEqual(read, Array.from({ length: 20 }, (_, index) => read[0] + index));
});

test("MQTT.js reads the lines by the WebSocket of the broker", async (t) => {
  const there = await broker(t);
  await start(t, "sim", "--mqtt", `mqtt://127.0.0.1:${there.tcp}`);
  const client = load("mqtt", "mqtt").connect(`ws://127.0.0.1:${there.ws}`);
  t.after(() => client.end(true));
  const lines = [];
  client.on("message", (topic, payload) => lines.push(`${topic} ${payload}`));
  client.subscribe("serial-ws/sim/line");
  await until("lines", () => lines.length > 10);
  assert.match(lines[0], /^serial-ws\/sim\/line [\d,]+$/);
});

test("the page for learners shows the board by the broker alone", async (t) => {
  const there = await broker(t);
  const site = createServer((request, response) => {
    const isPage = request.url.startsWith("/?");
    response.writeHead(isPage ? 200 : 404, { "Content-Type": "text/html" });
    response.end(isPage ? readFileSync(join(root, "web/mqtt/index.html")) : "");
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  t.after(() => site.close());
  const { chromium } = load("mqtt", "playwright-core");
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  t.after(() => browser.close());
  const page = await (await browser.newContext()).newPage();
  // The browser still checks the integrity of what npm has in place of the CDN.
  await page.route(/^https:/, (route) => route.fulfill({
    path: join(folder("mqtt"), "node_modules/mqtt/dist/mqtt.min.js"),
    headers: { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" },
  }));
  const text = (id) => page.locator(id).textContent();
  await page.goto(`http://127.0.0.1:${site.address().port}/?broker=ws://127.0.0.1:${there.ws}`);
  await until("the page to wait", async () => /waiting for serial-ws/.test(await text("#state")));
  const bridge = await start(t, "sim", "--mqtt", `mqtt://127.0.0.1:${there.tcp}`);
  await until("a line", async () => /^[\d,]+$/.test(await text("#reading")));
  assert.equal(await text("#state"), "sim is open (simulated)");
  await bridge.stop();
  await until("the end", async () => (await text("#state")) === "serial-ws has stopped");
});
