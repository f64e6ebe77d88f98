// The clients of PROTOCOL.md that resume where they stopped: over a restart of serial-ws, no line is lost
// and none comes twice.
//
// needs program: python3
// needs pip: websockets==15.0.1
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { board, examples, folder as temporary, opened, run } from "./documents.mjs";
import { folder, start, until } from "./support.mjs";

const env = { ...process.env, PYTHONPATH: join(folder("resume"), "python"), PYTHONUNBUFFERED: "1" };

/** The number of lines that serial-ws has read in this run. */
async function lines(bridge) {
  return (await (await fetch(`http://127.0.0.1:${bridge.port}/api/status`)).json()).ports[0].lines;
}

/** The clients that are connected. */
async function clients(bridge) {
  return (await (await fetch(`http://127.0.0.1:${bridge.port}/api/clients`)).json()).length;
}

async function check(t, heading, language, file, command) {
  const near = await board(t);
  const begin = (port) => start(t, `uno=${near.path}`, "--listen", `127.0.0.1:${port}`, "--history", "1MiB");
  /** Sends lines that are counted, and waits until serial-ws has them. */
  const send = async (bridge, from, to) => {
    const before = await lines(bridge);
    for (let count = from; count <= to; count++) near.send(`count ${count} end\n`);
    await until("the lines to be read", async () => (await lines(bridge)) >= before + to - from + 1);
  };
  let bridge = await begin(0);
  await opened(bridge);
  const here = temporary(t);
  symlinkSync(join(folder("resume"), "node_modules"), join(here, "node_modules"));
  const example = examples("PROTOCOL.md", heading, language)[0].replaceAll("localhost:8080", `127.0.0.1:${bridge.port}`);
  writeFileSync(join(here, file), example);
  const { printed } = run(t, ...command(join(here, file)), { cwd: here, env });
  const seen = () => [...printed().matchAll(/count (\d+) end/g)].map(([, count]) => Number(count));
  const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

  await until("the client to connect", () => clients(bridge));
  await send(bridge, 1, 50);
  await until("what was sent first", () => seen().length >= 50);
  const { port } = bridge;
  await bridge.stop();
  bridge = await begin(port);
  await opened(bridge);
  // Also what the new run has read before the client is back.
  await send(bridge, 51, 75);
  await until("the client to be back, with what it missed", () => seen().length >= 75);
  await send(bridge, 76, 100);
  await until("the last line", () => seen().includes(100));
  assert.deepEqual(seen(), upTo(100), printed());
}

test("the client in Python resumes after a restart without a lost or doubled line", async (t) => {
  await check(t, "In Python", "python", "client.py", (path) => ["python3", [path]]);
});

test("the client in Node resumes after a restart without a lost or doubled line", async (t) => {
  await check(t, "In Node", "js", "client.mjs", (path) => [process.execPath, [path]]);
});
