// The WebSocket library of Node, as a program that somebody else wrote would use it.
//
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { on, once } from "node:events";
import { test } from "node:test";

import { load, start, within } from "./support.mjs";

const WebSocket = load("ws", "ws");

/** A connected client. Its messages wait until they are asked for. */
class Client {
  constructor(t, url, protocols) {
    this.socket = new WebSocket(url, protocols);
    this.messages = on(this.socket, "message");
    this.closed = once(this.socket, "close");
    t.after(() => this.socket.terminate());
  }

  static async connect(t, url, protocols) {
    const client = new Client(t, url, protocols);
    await within("a connection", once(client.socket, "open"));
    return client;
  }

  async message() {
    const { value } = await within("a message", this.messages.next());
    const [data, isBinary] = value;
    return isBinary ? data : data.toString();
  }

  /** The next object of `type` of the json view. */
  async object(type) {
    for (;;) {
      const object = JSON.parse(await this.message());
      if (object.type === type) return object;
    }
  }

  /** Sends `message`, and checks that just that comes back, in messages of the same kind. */
  async exchange(message) {
    const isBinary = Buffer.isBuffer(message);
    this.socket.send(message);
    let back = Buffer.alloc(0);
    while (back.length < Buffer.byteLength(message)) {
      const part = await this.message();
      assert.equal(Buffer.isBuffer(part), isBinary);
      back = Buffer.concat([back, Buffer.from(part)]);
    }
    assert.deepEqual(back, Buffer.from(message));
  }

  /** The code and the reason of a connection that is closed. */
  async close() {
    const [code, reason] = await within("a Close", this.closed);
    return [code, reason.toString()];
  }
}

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

test("a client of lines gets each line of the board as a text message", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, url);
  for (let count = 0; count < 5; count++) assert.match(await client.message(), /^[\d.,-]+$/);
});

test("a client of raw gets the bytes of the board as binary messages", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, `${url}/?view=raw`);
  let bytes = Buffer.alloc(0);
  while (bytes.length < 40) bytes = Buffer.concat([bytes, await client.message()]);
  assert.match(bytes.toString("latin1"), /^[\d.,\r\n-]+$/);
});

test("a client of text gets the bytes of the board as text messages", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, `${url}/?view=text`);
  let text = "";
  while (text.length < 40) text += await client.message();
  assert.match(text, /^[\d.,\r\n-]+$/);
});

test("a client of json is greeted and gets numbered lines", async (t) => {
  const { url } = await start(t, "--port", "uno=sim");
  const client = await Client.connect(t, `${url}/ports/uno?view=json`);
  const hello = JSON.parse(await client.message());
  assert.equal(hello.type, "hello");
  assert.equal(hello.version, 1);
  assert.equal(hello.port.name, "uno");
  assert.deepEqual(hello.ports, ["uno"]);
  for (let seq = hello.seq + 1; seq < hello.seq + 6; seq++) {
    const line = await client.object("line");
    assert.equal(line.seq, seq);
    assert.match(line.text, /^[\d.,-]+$/);
  }
});

test("what a client of lines writes comes back from a loop line by line", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?append=lf`);
  client.socket.send("grüße");
  client.socket.send("");
  client.socket.send(Buffer.from("with its own end\r\n"));
  assert.equal(await client.message(), "grüße");
  assert.equal(await client.message(), "");
  assert.equal(await client.message(), "with its own end");
});

test("what a client of raw writes comes back from a loop byte for byte", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?view=raw`);
  await client.exchange(EVERY_BYTE);
});

test("what a client of text writes comes back from a loop with no character cut", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?view=text`);
  await client.exchange("π is 3.14159, 🦀 is a crab\n".repeat(100));
});

test("what a client of json writes is acknowledged by its id and comes back as a line", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?view=json`);
  client.socket.send(JSON.stringify({ type: "write", text: "hi\n", id: 7 }));
  assert.deepEqual(await client.object("ack"), { type: "ack", id: 7, bytes: 3 });
  const bytes = Buffer.from([0, 255, 10]).toString("base64");
  client.socket.send(JSON.stringify({ type: "write", bytes, id: ["a", 8] }));
  assert.deepEqual(await client.object("ack"), { type: "ack", id: ["a", 8], bytes: 3 });
});

test("what a client of json writes is seen by another one", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const writer = await Client.connect(t, `${url}/?view=json`);
  const reader = await Client.connect(t, `${url}/?view=json`);
  writer.socket.send(JSON.stringify({ type: "write", text: "hi\n" }));
  for (const client of [writer, reader]) assert.equal((await client.object("line")).text, "hi");
});

test("a mistake of a client of json is answered and the connection stays", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?view=json`);
  client.socket.send("{");
  assert.equal(typeof (await client.object("error")).error, "string");
  client.socket.send(JSON.stringify({ type: "write", text: "hi\n", id: 1 }));
  assert.equal((await client.object("ack")).bytes, 3);
});

test("a view can be asked for as a subprotocol, which is confirmed", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, url, ["serial-ws.json"]);
  assert.equal(client.socket.protocol, "serial-ws.json");
  assert.equal(JSON.parse(await client.message()).type, "hello");
});

test("a client that offers to compress is taken without it", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, url);
  assert.equal(client.socket.extensions, "");
});

test("an echo returns every message as it came", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const client = await Client.connect(t, `${url}/echo`);
  client.socket.send("grüße");
  client.socket.send(EVERY_BYTE);
  assert.equal(await client.message(), "grüße");
  assert.deepEqual(await client.message(), EVERY_BYTE);
});

test("an unknown port closes with 4404 and the names of those that there are", async (t) => {
  const { url } = await start(t, "--port", "uno=sim", "--port", "knob=loop");
  const [code, reason] = await new Client(t, `${url}/ports/none`).close();
  assert.equal(code, 4404);
  assert.match(reason, /uno/);
  assert.match(reason, /knob/);
});

test("an unknown query closes with 4400 and its name", async (t) => {
  const { url } = await start(t, "--port", "sim");
  for (const query of ["vew=raw", "view=bogus"]) {
    const [code, reason] = await new Client(t, `${url}/?${query}`).close();
    assert.equal(code, 4400);
    assert.match(reason, /vew|bogus/);
  }
});

test("a page that nobody allowed gets 403 before there is a connection", async (t) => {
  const { url } = await start(t, "--port", "sim");
  const socket = new WebSocket(url, { origin: "https://example.org" });
  const [, response] = await within("a rejection", once(socket, "unexpected-response"));
  assert.equal(response.statusCode, 403);
  response.destroy();
});

test("a ping of a client is answered with what it carried", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, url);
  client.socket.ping("are you there?");
  const [data] = await within("a pong", once(client.socket, "pong"));
  assert.equal(data.toString(), "are you there?");
});

test("a silent client is asked for a sign of life, gives it, and stays connected", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const client = await Client.connect(t, `${url}/?append=lf`);
  await within("a ping", once(client.socket, "ping"));
  client.socket.send("still here");
  assert.equal(await client.message(), "still here");
});

test("a stop of serial-ws closes with 1001", async (t) => {
  const bridge = await start(t, "--port", "sim");
  const client = await Client.connect(t, bridge.url);
  await bridge.stop();
  assert.equal((await client.close())[0], 1001);
});
