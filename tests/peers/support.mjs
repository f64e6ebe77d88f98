// What the tests with other people's programs stand on: the real program, and waiting with a limit.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { spawn } from "../spawn.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const PROGRAM = process.env.SERIAL_WS_TEST_BIN ?? join(root, "target/debug/serial-ws");
const PEERS = process.env.SERIAL_WS_PEERS ?? join(root, "target/peers");

/** The longest that a test waits for what must happen, in milliseconds; a ping takes 20 s. */
export const PATIENCE = 30000;

/** The folder into which tests/peers/run installs what a peer needs. */
export const folder = (peer) => join(PEERS, peer);

/** A package of npm that the test of `peer` says that it needs. */
export const load = (peer, name) => createRequire(join(folder(peer), "package.json"))(name);

/** Awaits `promise`, or fails with what was waited for. */
export async function within(what, promise) {
  const done = new AbortController();
  const late = sleep(PATIENCE, undefined, done).then(() => assert.fail(`waited ${PATIENCE} ms for ${what}`));
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => {});
    done.abort();
  }
}

/** Looks until there is something to see, and returns it. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) assert.fail(`waited ${PATIENCE} ms for ${what}`);
    await sleep(20);
  }
}

/** A TCP port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts serial-ws, on a free TCP port unless the options name one. It ends with the test. */
export async function start(t, ...options) {
  const listen = options.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const child = spawn(PROGRAM, [...listen, ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (data) => (log += data));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  /** Ends it as a power cut would. */
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  t.after(stop);
  const [, port] = await until("serial-ws to listen", () => {
    assert.equal(child.exitCode, null, log);
    return log.match(/ws:\/\/127\.0\.0\.1:(\d+)/);
  });
  return { port: Number(port), url: `ws://127.0.0.1:${port}`, stop, kill, log: () => log };
}

/**
 * Starts serial-ws with a library that gives pseudo-terminals modem lines, which they lack (it needs cc from gcc).
 * `levels` is the file with their levels; `changes` is one that gets a line for each change of DTR, RTS and break, such
 * as "dtr 1".
 */
export async function startWithLines(t, ...options) {
  const place = mkdtempSync(join(tmpdir(), "serial-ws-lines-"));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const [library, levels, changes] = ["lines.so", "levels", "changes"].map((name) => join(place, name));
  execFileSync("cc", ["-shared", "-fPIC", "-o", library, join(root, "tests/browser/modem-lines.c")]);
  writeFileSync(levels, Buffer.alloc(16));
  writeFileSync(changes, "");
  const variables = { LD_PRELOAD: library, LINES_FILE: levels, LINES_LOG: changes };
  Object.assign(process.env, variables);
  try {
    const bridge = await start(t, ...options);
    /** Sets an input: 3 is CTS, 4 DSR, 5 DCD and 6 RI. The file is mapped by serial-ws, so it keeps its length. */
    const set = (at, level) => {
      const descriptor = openSync(levels, "r+");
      writeSync(descriptor, Uint8Array.of(level), 0, 1, at);
      closeSync(descriptor);
    };
    return { ...bridge, set, levels, changes, changed: () => readFileSync(changes, "utf8").split("\n").slice(0, -1) };
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

/** Watches the default port of serial-ws by WebSocket, with `WebSocket` of the package ws: its bytes, and each status. */
export async function watch(t, bridge, WebSocket) {
  const seen = { bytes: Buffer.alloc(0), statuses: [] };
  const views = {
    raw: (data) => { seen.bytes = Buffer.concat([seen.bytes, data]); },
    json: (data) => {
      const message = JSON.parse(data);
      const status = { hello: { settings: message.port?.settings, ...message.status }, status: message }[message.type];
      // A status has the settings where they have changed.
      if (status) seen.statuses.push({ settings: seen.statuses.at(-1)?.settings, ...status });
    },
  };
  for (const [view, take] of Object.entries(views)) {
    const socket = new WebSocket(`${bridge.url}/?view=${view}`).on("message", take);
    t.after(() => socket.terminate());
    await within("a WebSocket to open", once(socket, "open"));
    seen[view] = socket;
  }
  await until("the port to be open", () => seen.statuses.at(-1)?.state === "open");
  return seen;
}

/** 16 KiB of all values that a byte has. */
export const allBytes = Buffer.from(Array.from({ length: 16384 }, (_, at) => at & 255));
