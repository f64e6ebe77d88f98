// Go, with its standard library.
//
// needs program: go from golang-go
// needs program: python3
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for Go runs as pasted, and is formatted", async (t) => {
  const [example] = examples("docs/other-languages.md", "Go", "go");
  await check(t, example, "main.go", (path, folder) => {
    const unformatted = execFileSync("gofmt", ["-l", path], { encoding: "utf8" });
    if (unformatted) throw new Error("gofmt changes it");
    execFileSync("go", ["build", "-o", join(folder, "lines"), path], { env: { ...process.env, GOFLAGS: "-mod=mod", GO111MODULE: "off" } });
    return [join(folder, "lines")];
  });
});
