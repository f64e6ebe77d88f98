// The examples of docs/other-languages.md, as a reader would paste them, with a board on a pseudo-terminal.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { spawn } from "../spawn.mjs";
import { root, start, until } from "./support.mjs";

/** The examples below a heading of a document in this language, in their order. */
export function examples(document, heading, language) {
  const text = readFileSync(join(root, document), "utf8");
  const [, section] = text.split(new RegExp(`^##+ ${heading}.*\n`, "m"));
  assert.ok(section, `${document} has ${heading}`);
  const blocks = section.split(/^##+ /m)[0].matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "gm"));
  const found = [...blocks].map(([, block]) => block);
  assert.ok(found.length > 0, `${heading} has an example in ${language}`);
  return found;
}

/** A folder that is deleted with the test. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "serial-ws-peer-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A board that keeps what it receives. */
export async function board(t) {
  const path = join(folder(t), "board");
  const child = spawn("python3", [join(root, "tests/browser/board.py"), path], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill());
  let printed = "";
  child.stdout.setEncoding("latin1").on("data", (data) => { printed += data; });
  await until("the board to be plugged in", () => printed.startsWith("plugged in\n"));
  return { path, received: () => printed.slice("plugged in\n".length), send: (text) => child.stdin.write(text) };
}

/** Waits until serial-ws has opened the board. */
export async function opened(bridge) {
  await until("the port to be open", async () => {
    const [port] = await (await fetch(`http://127.0.0.1:${bridge.port}/api/ports`)).json();
    return port.status.state === "open";
  });
}

/** Starts a program in a folder of its own, and keeps what it prints. */
export function run(t, command, args, options = {}) {
  // A group of its own, since a shell and R start others:
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
  const ended = once(child, "exit");
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (data) => { printed += data; });
  t.after(async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
    await ended;
  });
  return { printed: () => printed, child };
}

/**
 * Runs an example, saved as `file`, until it has printed what the board sends and the board has received
 * what the example sends, if it `sends` anything. `command` gets the path of the file, and its folder.
 */
export async function check(t, example, file, command, { expected = /^512,300,1$/m, sends = true, ...options } = {}) {
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`);
  await opened(bridge);
  const cwd = folder(t);
  const path = join(cwd, file);
  writeFileSync(path, example.replaceAll("localhost:8080", `127.0.0.1:${bridge.port}`));
  const [program, ...args] = await command(path, cwd);
  const { printed, child } = run(t, program, args, { cwd, ...options });
  await until(`the example to send H and to print a line\n${example}`, () => {
    assert.ok(child.exitCode === null || expected.test(printed()), `it ended with ${child.exitCode}: ${printed()}`);
    near.send("512,300,1\n");
    return expected.test(printed()) && (!sends || near.received().includes("H\n"));
  });
}
