#!/usr/bin/env node
// Makes the packages for npm from the archives in target/packages: packaging/npm.mjs [FOLDER]
//
// The result is beside the archives, or in FOLDER if they are there: serial-ws-VERSION.tgz, which has the
// client library of web/ and the command, and serial-ws-PLATFORM-VERSION.tgz for each archive, with the
// program alone. npm installs the one of them that fits the computer. Needs npm, tar and, for archives of
// Windows, unzip.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = resolve(process.argv[2] ?? join(root, "target/packages"));

const cargo = readFileSync(join(root, "Cargo.toml"), "utf8");
/** Returns a value of Cargo.toml. */
const field = (name) => cargo.match(new RegExp(`^${name} = "(.*)"`, "m"))[1];
const common = {
  version: field("version"),
  license: field("license"),
  homepage: field("repository"),
  repository: { type: "git", url: `git+${field("repository")}.git` },
};

const targets = readFileSync(join(root, "packaging/targets.txt"), "utf8")
  .split("\n")
  .filter((line) => line && !line.startsWith("#"))
  .map((line) => line.split(/ +/))
  .map(([target, platform]) => ({ target, platform }));

const work = mkdtempSync(join(tmpdir(), "serial-ws-npm-"));
try {
  let made = 0;
  for (const one of targets) made += packPlatform(one);
  if (made === 0) throw new Error(`${packages} has no archive. Run packaging/archive.sh first`);
  packMain();
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Makes the package with the program for one platform. Returns false if there is no archive for it. */
function packPlatform({ target, platform }) {
  const [os, cpu] = platform.split("-");
  const program = os === "win32" ? "serial-ws.exe" : "serial-ws";
  const name = `serial-ws-${target}`;
  const archive = join(packages, `${name}${os === "win32" ? ".zip" : ".tar.gz"}`);
  if (!existsSync(archive)) {
    console.log(`left out ${platform}: there is no ${archive}`);
    return false;
  }
  if (os === "win32") execFileSync("unzip", ["-q", archive, "-d", work]);
  else execFileSync("tar", ["-xzf", archive, "-C", work]);
  const folder = join(work, platform);
  mkdirSync(folder);
  for (const file of [program, "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt"]) {
    cpSync(join(work, name, file), join(folder, file));
  }
  chmodSync(join(folder, program), 0o755);
  writeFileSync(join(folder, "README.md"), `The program of [serial-ws](${common.homepage}) for ${platform}.\n`);
  pack(folder, {
    name: `@serial-ws/${platform}`,
    ...common,
    description: `The program of serial-ws for ${platform}`,
    os: [os],
    cpu: [cpu],
    // The program is linked against glibc.
    ...(os === "linux" && { libc: ["glibc"] }),
    preferUnplugged: true,
  });
  return true;
}

/** Makes the package that people install: the client library, and the command. */
function packMain() {
  const library = JSON.parse(readFileSync(join(root, "web/package.json"), "utf8"));
  const folder = join(work, "serial-ws");
  for (const file of library.files) cpSync(join(root, "web", file), join(folder, file));
  cpSync(join(root, "packaging/npm"), folder, { recursive: true });
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE"]) cpSync(join(root, file), join(folder, file));
  const names = targets.map(({ platform }) => `@serial-ws/${platform}`);
  pack(folder, {
    ...library,
    ...common,
    description: field("description"),
    bin: { "serial-ws": "bin/serial-ws.mjs" },
    files: [...library.files, "bin"],
    engines: { node: ">=20" },
    optionalDependencies: Object.fromEntries(names.map((name) => [name, common.version])),
  });
}

/** Writes the manifest of a package and packs its folder. */
function pack(folder, manifest) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const options = ["--silent", "--ignore-scripts", "--pack-destination", packages];
  const file = execFileSync("npm", ["pack", folder, ...options], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  console.log(`made ${join(packages, file.trim())}`);
}
