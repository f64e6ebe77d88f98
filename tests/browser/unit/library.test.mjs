// The client library with a WebSocket and a clock of the test: node --test tests/browser/unit
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import vm from "node:vm";

vm.runInThisContext(readFileSync(new URL("../../../web/serial-ws.js", import.meta.url), "utf8"));

/** A WebSocket whose other end is the test. */
class Socket {
  static all = [];
  readyState = 1;
  sent = [];

  constructor() {
    Socket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 2;
  }

  /** Receives an object from the test. */
  receive(object) {
    this.onmessage({ data: JSON.stringify(object) });
  }
}

/** Returns a connected client, its socket, and what became of each of its requests. */
async function connected(t) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  // Nothing answers the question why there is no connection.
  t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("no network")));
  const serial = new SerialWs("ws://localhost:1/", { WebSocket: Socket });
  await settled();
  const socket = Socket.all.at(-1);
  socket.receive({ type: "hello", version: 1, run: "a", seq: 0, offset: 0, port: { name: "uno", settings: {} }, ports: ["uno"], status: { state: "open" } });
  const outcomes = [];
  const ask = (object) => serial.ask(object).then(() => outcomes.push("done"), (error) => outcomes.push(error.message));
  t.after(() => serial.close());
  return { serial, socket, outcomes, ask };
}

/** Lets all promises run that can. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function pass(seconds) {
  mock.timers.tick(seconds * 1000);
  await settled();
}

const LOST = "the connection was lost before the reply; the request may have taken effect";

test("a request is rejected when the other end has gone without a word", async (t) => {
  const { serial, socket, outcomes, ask } = await connected(t);
  ask({ type: "reset" });
  ask({ type: "write", text: "H" });
  await pass(29);
  assert.deepEqual(socket.sent.map(({ type }) => type), ["reset", "write"]);
  await pass(1);
  assert.deepEqual(socket.sent.map(({ type }) => type), ["reset", "write", "ping"]);
  assert.deepEqual(outcomes, []);
  await pass(30);
  assert.deepEqual(outcomes, [LOST, LOST]);
  assert.equal(serial.opened, false);
  const before = Socket.all.length;
  await pass(10);
  assert.equal(Socket.all.length, before + 1, "it connects again");
});

test("a slow request is waited for while anything arrives", async (t) => {
  const { socket, outcomes, ask } = await connected(t);
  ask({ type: "write", text: "slow" });
  for (let count = 1; count < 10; count++) {
    await pass(30);
    assert.equal(socket.sent.filter(({ type }) => type === "ping").length, count);
    await pass(29);
    // serial-ws does not know the type:
    socket.receive({ type: "error", error: "unknown type `ping`", id: 0 });
  }
  assert.deepEqual(outcomes, []);
  socket.receive({ type: "ack", id: 1, bytes: 4 });
  await settled();
  assert.deepEqual(outcomes, ["done"]);
});

test("a question in text resolves with text, and one in bytes with bytes", async (t) => {
  const { serial, socket } = await connected(t);
  const replies = [serial.ask("*IDN?\n", { timeout: 500 }), serial.ask([1, 3], { until: { bytes: 2 } }), serial.ask("?")];
  assert.deepEqual(socket.sent, [
    { type: "ask", text: "*IDN?\n", timeout: 500, id: 1 },
    { type: "ask", bytes: "AQM=", until: { bytes: 2 }, id: 2 },
    { type: "ask", text: "?", id: 3 },
  ]);
  socket.receive({ type: "reply", id: 1, text: "ACME,42" });
  socket.receive({ type: "reply", id: 2, bytes: "AQM=" });
  socket.receive({ type: "reply", id: 3, bytes: "/0E=" });
  assert.deepEqual(await Promise.all(replies), ["ACME,42", Uint8Array.of(1, 3), "\ufffdA"]);
});

test("a question without a reply is rejected with a code, and may be ignored", async (t) => {
  const { serial, socket, outcomes, ask } = await connected(t);
  const errors = [];
  serial.on("error", (error) => errors.push(error.code));
  serial.ask("ignored");
  const rejected = assert.rejects(serial.ask("?"), { message: "no reply within 2000 ms", code: "timeout" });
  for (const id of [1, 2]) socket.receive({ type: "error", error: "no reply within 2000 ms", id, code: "timeout" });
  await rejected;
  assert.deepEqual(errors, ["timeout", "timeout"]);
  // As before ask() took questions:
  ask({ type: "reset" });
  socket.receive({ type: "ack", id: 3 });
  await settled();
  assert.deepEqual(outcomes, ["done"]);
});

test("without a request, a silent connection is left alone", async (t) => {
  const { socket, outcomes, ask } = await connected(t);
  await pass(3600);
  assert.deepEqual(socket.sent, []);
  ask({ type: "reset" });
  socket.receive({ type: "ack", id: 1 });
  await pass(3600);
  assert.deepEqual(socket.sent.map(({ type }) => type), ["reset"]);
  assert.deepEqual(outcomes, ["done"]);
});

test("every request settles when the connection closes, and when the page closes it", async (t) => {
  const { serial, socket, outcomes, ask } = await connected(t);
  ask({ type: "futureThing" });
  socket.onclose({ code: 1006, reason: "" });
  await settled();
  ask({ type: "reset" });
  await settled();
  assert.equal(outcomes.length, 2);
  assert.equal(outcomes[0], LOST);
  assert.match(outcomes[1], /^not sent: /);
  serial.close();
});

/** Returns a client with these options, and the socket that it opened. */
async function opened(t, options) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("no network")));
  const addresses = [];
  class Recorded extends Socket {
    constructor(url) {
      super(url);
      addresses.push(url);
    }
  }
  const serial = new SerialWs("ws://localhost:1/", { ...options, WebSocket: Recorded });
  t.after(() => serial.close());
  await settled();
  return { serial, addresses, socket: Socket.all.at(-1) };
}

test("a device is opened by its ID with the settings of its line", async (t) => {
  const { addresses } = await opened(t, { device: "usb:2341:0043:a/b", baud: 115200, parity: "even", dtr: false });
  const url = new URL(addresses[0]);
  assert.equal(url.pathname, "/devices/usb%3A2341%3A0043%3Aa%2Fb");
  assert.equal(url.search, "?view=json&baud=115200&parity=even&dtr=off");
});

test("a page waits for a device that is not here, and for the answer of the operator", async (t) => {
  const { serial, addresses, socket } = await opened(t, { device: "usb:2341:0043" });
  socket.onclose({ code: 4404, reason: "no device usb:2341:0043 is here" });
  assert.equal(serial.status.state, "waiting");
  await pass(1);
  assert.equal(addresses.length, 2);
  Socket.all.at(-1).onclose({ code: 4403, reason: "answer the question in the terminal" });
  assert.equal(serial.status.state, "refused");
  await pass(2);
  assert.equal(addresses.length, 3);
  Socket.all.at(-1).onclose({ code: 4409, reason: "in use with 9600 baud, 8N1" });
  assert.equal(serial.status.state, "mistake");
  await pass(60);
  assert.equal(addresses.length, 3, "other settings will not help by waiting");
});

test("a page that the operator disconnected does not come back by itself, and does where it is told to", async (t) => {
  const { serial, addresses, socket } = await opened(t, { device: "usb:2341:0043" });
  const watcher = SerialWs.watchDevices("ws://localhost:1/", { WebSocket: Socket });
  t.after(() => watcher.close());
  await settled();
  const sockets = Socket.all.length;
  const gone = { code: 4410, reason: "disconnected by the operator of serial-ws" };
  socket.onclose(gone);
  Socket.all.at(-1).onclose(gone);
  assert.equal(serial.status.state, "disconnected");
  assert.equal(serial.status.detail, gone.reason);
  await pass(3600);
  assert.equal(Socket.all.length, sockets);
  await assert.rejects(serial.send("H"), /^Error: not sent: disconnected by the operator/);
  serial.open();
  await settled();
  assert.equal(addresses.length, 2);
});

test("a rate that a client sets is no detected one", async (t) => {
  const { serial, socket } = await connected(t);
  const change = (settings) => socket.receive({ type: "status", state: "open", settings });
  change({ baud: 57600, baudDetected: true });
  socket.receive({ type: "status", state: "open" });
  assert.deepEqual(serial.status.settings, { baud: 57600, baudAuto: false, baudDetected: true });
  change({ baud: 9600 });
  assert.deepEqual(serial.status.settings, { baud: 9600, baudAuto: false, baudDetected: false });
});

test("a watcher has the newest list of devices, also after a lost connection", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const watcher = SerialWs.watchDevices("ws://localhost:1/ports/uno", { WebSocket: Socket });
  const lists = [];
  watcher.on("devices", (list) => lists.push(list));
  await settled();
  Socket.all.at(-1).receive({ type: "devices", devices: [{ id: "a" }] });
  assert.deepEqual(watcher.devices, [{ id: "a" }]);
  const count = Socket.all.length;
  Socket.all.at(-1).onclose({ code: 1001 });
  await pass(1);
  assert.equal(Socket.all.length, count + 1);
  Socket.all.at(-1).receive({ type: "devices", devices: [] });
  assert.deepEqual(lists, [[{ id: "a" }], []]);
  watcher.close();
  Socket.all.at(-1).onclose({ code: 1000 });
  await pass(60);
  assert.equal(Socket.all.length, count + 1, "it does not come back");
});

test("a watcher reports that the browser does not allow its connection, and tries again", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let attempts = 0;
  class Blocked {
    constructor() {
      attempts += 1;
      throw new Error("mixed content");
    }
  }
  const watcher = SerialWs.watchDevices("ws://localhost:1/", { WebSocket: Blocked });
  const errors = [];
  const unwanted = () => assert.fail("it was taken off");
  watcher.on("error", unwanted).off("error", unwanted).on("error", (error) => errors.push(error.message));
  await settled();
  await pass(1);
  const expected = "the browser does not allow this connection: mixed content";
  assert.deepEqual(errors, [expected, expected]);
  watcher.close();
  await pass(60);
  assert.equal(attempts, 2, "it does not come back");
});
