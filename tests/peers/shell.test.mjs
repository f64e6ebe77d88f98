// curl and a shell.
//
// needs program: curl
// needs program: python3
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for curl runs as pasted", async (t) => {
  const [example] = examples("docs/other-languages.md", "Shell", "sh");
  await check(t, example, "lines.sh", (path) => ["sh", path]);
});
