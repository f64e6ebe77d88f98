// Python, with and without a library.
//
// needs program: python3
// needs pip: websockets==15.0.1
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";
import { folder } from "./support.mjs";

const env = { ...process.env, PYTHONPATH: join(folder("python"), "python"), PYTHONUNBUFFERED: "1" };

for (const [index, what] of ["the library websockets", "its standard library"].entries()) {
  test(`the example for Python with ${what} runs as pasted`, async (t) => {
    const example = examples("docs/other-languages.md", "Python", "python")[index];
    await check(t, example, "lines.py", (path) => ["python3", path], { env });
  });
}
