// websocket-client, the oldest WebSocket library of Python.
//
// needs program: python3 from python3
// needs pip: websocket-client==1.9.2
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder, start, within } from "./support.mjs";

/** Runs a script, in which `url` is the address of serial-ws, and returns what it prints. */
async function python(url, script) {
  const env = { ...process.env, PYTHONPATH: join(folder("websocket-client"), "python") };
  const code = `import websocket\nurl = "${url}"\n${script}`;
  const child = spawn("python3", ["-c", code], { env, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (data) => (printed += data));
  const [status] = await within("the script to end", once(child, "close"));
  assert.equal(status, 0);
  return printed.trimEnd();
}

test("it connects with the origin that it sends by itself", async (t) => {
  const { url } = await start(t, "--port", "sim");
  assert.match(await python(url, "print(websocket.create_connection(url).recv())"), /^\d+,\d+,\d+$/);
});

test("a subprotocol that serial-ws does not know is confirmed", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const printed = await python(url, [
    'socket = websocket.create_connection(url, subprotocols=["mqtt", "mqttv3.1"])',
    'socket.send("hello\\n")',
    "print(socket.getsubprotocol(), socket.recv())",
  ].join("\n"));
  assert.equal(printed, "mqtt hello");
});

test("an origin with a slash is that of this computer, and binary means raw", async (t) => {
  const { url } = await start(t, "--port", "loop");
  const printed = await python(url, [
    'socket = websocket.create_connection(url, origin="http://localhost/", subprotocols=["binary"])',
    "socket.send_binary(bytes([0, 255, 10]))",
    "print(list(socket.recv()))",
  ].join("\n"));
  assert.equal(printed, "[0, 255, 10]");
});

test("an origin that is refused is let in by the flag that the terminal prints", async (t) => {
  const origin = "https://github.com/gilmaimon/TinyWebsockets";
  const script = `print(websocket.create_connection(url, origin="${origin}").recv())`;
  const refused = await start(t, "--port", "sim");
  await assert.rejects(python(refused.url, script));
  const [, flag, value] = refused.log().match(/serial-ws (--allow-origin) (\S+)/);
  const allowed = await start(t, "--port", "sim", flag, value);
  assert.match(await python(allowed.url, script), /,/);
});
