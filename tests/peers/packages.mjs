// Archives for the packaging scripts, with the program under test.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { folder } from "./documents.mjs";
import { PROGRAM, root } from "./support.mjs";

/** Returns a folder with an archive as packaging/archive.sh makes it, which is deleted with the test. */
export function archive(t) {
  const packages = folder(t);
  const [, target] = execFileSync(PROGRAM, ["--version"], { encoding: "utf8" }).match(/^target: (.*)$/m);
  const name = `serial-ws-${target}`;
  const content = join(folder(t), name);
  mkdirSync(content);
  copyFileSync(PROGRAM, join(content, "serial-ws"));
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(join(root, file), join(content, file));
  writeFileSync(join(content, "THIRD-PARTY.txt"), "made by cargo-about in a release\n");
  execFileSync("tar", ["-czf", join(packages, `${name}.tar.gz`), "-C", join(content, ".."), name]);
  return packages;
}
