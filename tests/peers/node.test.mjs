// The client library in Node without a WebSocket of its own.
//
// needs program: python3
// needs npm: ws@8.23.0
import { copyFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";
import { folder, root } from "./support.mjs";

test("the example for the library with ws runs as pasted", async (t) => {
  const example = examples("docs/other-languages.md", "Node, Deno, Bun", "js")[2];
  await check(t, example, "lines.mjs", (path, here) => {
    for (const file of ["serial-ws.js", "serial-ws.mjs"]) copyFileSync(join(root, "web", file), join(here, file));
    symlinkSync(join(folder("node"), "node_modules"), join(here, "node_modules"));
    return [process.execPath, path];
  });
});
