// Octave, without packages.
//
// large: about 120 packages
// needs program: octave-cli from octave
// needs program: curl
// needs program: python3
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for Octave runs as pasted", async (t) => {
  const [example] = examples("docs/other-languages.md", "Octave", "octave");
  await check(t, example, "lines.m", (path) => ["octave-cli", "--quiet", path], { expected: /^ +512 +300 +1$/m });
});
