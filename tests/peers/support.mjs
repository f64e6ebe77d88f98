// What the tests with other people's programs stand on: the real program, and waiting with a limit.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = process.env.SERIAL_WS_TEST_BIN ?? join(root, "target/debug/serial-ws");
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
  t.after(stop);
  const [, port] = await until("serial-ws to listen", () => {
    assert.equal(child.exitCode, null, log);
    return log.match(/ws:\/\/127\.0\.0\.1:(\d+)/);
  });
  return { port: Number(port), url: `ws://127.0.0.1:${port}`, stop, log: () => log };
}
