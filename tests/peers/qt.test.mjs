// Qt, with its module for WebSockets.
//
// large: about 25 packages, and a minute to compile on a slow computer
// needs program: g++
// needs program: pkg-config
// needs program: /usr/lib/qt6/libexec/moc from qt6-websockets-dev
// needs program: python3
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for Qt runs as pasted", async (t) => {
  const [example] = examples("docs/other-languages.md", "Qt", "cpp");
  await check(t, example, "lines.cpp", (path, folder) => {
    const flags = execFileSync("pkg-config", ["--cflags", "--libs", "Qt6WebSockets"], { encoding: "utf8" }).trim().split(/\s+/);
    execFileSync("g++", ["-std=c++17", "-fPIC", path, "-o", join(folder, "lines"), ...flags]);
    return [join(folder, "lines")];
  });
});
