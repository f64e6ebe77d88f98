// Schemathesis, which sends requests that the description of the API allows, and others, and checks the
// answers by it.
//
// needs pip: schemathesis==4.32.5
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder, start } from "./support.mjs";

test("the API answers as its description says, whatever it is asked", async (t) => {
  const { port } = await start(t, "--port", "sim");
  const url = `http://127.0.0.1:${port}`;
  // No description can say which parameters of a query exclude each other, or that one of them is needed. A
  // question to which the device does not reply in time gets 504.
  const config = `[[operations]]
include-path-regex = "/(ask|playback|settings|write)$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429", "5xx"]
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "504"]
`;
  const file = join(folder("schemathesis"), "config.toml");
  writeFileSync(file, config);
  const args = ["-m", "schemathesis.cli", "--config-file", file, "run", `${url}/api/openapi.json`, "--max-examples", "20", "--seed", "1", "--no-color"];
  // A stream does not end, and would be waited for.
  args.push("--exclude-path-regex", "/lines$");
  const env = { ...process.env, PYTHONPATH: join(folder("schemathesis"), "python") };
  const peer = spawn("python3", args, { env, cwd: folder("schemathesis"), stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => peer.kill());
  let said = "";
  for (const stream of [peer.stdout, peer.stderr]) stream.setEncoding("utf8").on("data", (data) => (said += data));
  const [code] = await once(peer, "close");
  assert.equal(code, 0, said);
});
