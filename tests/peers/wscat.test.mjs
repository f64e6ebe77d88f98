// wscat, as in docs/other-programs.md. It prints what it receives only at a terminal.
//
// needs program: python3
// needs npm: wscat@6.1.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { check } from "./documents.mjs";
import { folder, root } from "./support.mjs";

const TERMINAL = ["python3", "-c", "import pty, sys; pty.spawn(sys.argv[1:])"];

test("wscat prints lines and sends with the address and the settings of the table", async (t) => {
  const row = readFileSync(join(root, "docs/other-programs.md"), "utf8").split("\n").find((line) => line.includes("wscat"));
  const [, address, connect, send] = row.match(/`(ws:[^`]*)`.*`(-c)`.*`(-x H)`/);
  assert.ok(address);
  const wscat = join(folder("wscat"), "node_modules/wscat/bin/wscat");
  const command = (path) => [...TERMINAL, process.execPath, wscat, connect, readFileSync(path, "utf8"), ...send.split(" "), "-w", "-1"];
  await check(t, address, "address", command, { expected: /512,300,1/ });
});
