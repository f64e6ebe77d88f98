// Tests that are killed take the programs with them that they have started.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../../spawn.mjs";

const skip = spawnSync("setpriv", ["--version"]).status === 0 ? false : "there is no setpriv, which Linux has";

test("the programs of tests that are killed end with them", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-killed-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const file = join(folder, "waits.test.mjs");
  writeFileSync(file, `
    import { once } from "node:events";
    import { test } from "node:test";
    import { spawn } from ${JSON.stringify(new URL("../../spawn.mjs", import.meta.url))};
    test("waits", () => once(spawn("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/${server.address().port}; exec sleep 600"], {}), "exit"));
  `);
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const runner = spawn(process.execPath, ["--test", file], { env, stdio: "ignore" });
  const [connection] = await once(server, "connection");
  t.after(() => connection.destroy());
  // The program has the other end for as long as it lives.
  const closed = once(connection.resume(), "close", { signal: AbortSignal.timeout(20000) });
  runner.kill("SIGKILL");
  await closed;
  assert.equal(runner.signalCode, "SIGKILL");
});
