// R, without packages.
//
// needs program: Rscript from r-base-core
// needs program: curl
// needs program: python3
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for R runs as pasted", async (t) => {
  const [example] = examples("docs/other-languages.md", "R", "r");
  await check(t, example, "lines.R", (path) => ["Rscript", path], { expected: /^\[1\] 512 300   1$/m });
});
