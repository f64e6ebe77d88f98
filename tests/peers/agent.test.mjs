// A coding agent develops a sketch while somebody watches: the official MCP client edits, compiles, uploads, asks and
// resets, with the built-in page open in Chromium and a recording running. Both miss nothing.
//
// needs program: chromium
// needs program: avr-g++ from arduino-core-avr
// needs program: /usr/include/simavr/sim_avr.h from libsimavr-dev
// needs program: cc from gcc
// needs npm: @modelcontextprotocol/sdk@1.32.2
// needs npm: playwright-core@1.64.0
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";

import { spawn } from "../spawn.mjs";
import { PROGRAM, folder, load, root, startWithLines, until, within } from "./support.mjs";

const AGENT = "claude-code";
const firmware = join(root, "tests/firmware");
const run = promisify(execFile);

const SKETCH = `
const int version = 1;
unsigned long count = 0;

void setup() {
  Serial.begin(9600);
  Serial.print("version ");
  Serial.println(version);
}

void loop() {
  if (Serial.read() == '?') {
    Serial.print("I am version ");
    Serial.println(version);
  }
  Serial.println(count);
  count = count + 1;
  delay(20);
}
`;

/** A sketch in a folder of its own, and the compiler for it, as an agent has them in its shell. */
function sketch(t) {
  const place = mkdtempSync(join(tmpdir(), "serial-ws-agent-"));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const [source, out] = [join(place, "Versions/Versions.ino"), join(folder("agent"), "firmware")];
  mkdirSync(join(place, "Versions"));
  writeFileSync(source, SKETCH);
  return {
    place,
    compiled: join(out, "Versions.elf"),
    edit: (from, to) => writeFileSync(source, readFileSync(source, "utf8").replace(from, to)),
    compile: () => run(join(firmware, "build-sketch.sh"), [join(place, "Versions"), out]),
  };
}

/** Plugs in a simulated Uno at `path`, with the modem lines of the file `levels`. */
async function plugIn(t, path, compiled, levels) {
  const simulator = join(folder("agent"), "uno-sim");
  execFileSync("cc", ["-O2", "-I/usr/include/simavr", join(firmware, "uno-sim.c"), "-o", simulator, "-lsimavr", "-lm"]);
  const options = ["--link", path, "--auto-reset", "--boot-ms", "1000", "--lines", levels];
  const child = spawn(simulator, [...options, compiled], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const events = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** Waits for the next event that begins so. */
  const hears = (event) => within(`the board to tell ${event}`, (async () => {
    for (;;) {
      const { value } = await events.next();
      if (value.startsWith(event)) return;
    }
  })());
  await hears("pty");
  return hears;
}

/** Opens the page, which keeps each state that it has shown. */
async function watch(t, bridge) {
  const { chromium } = load("agent", "playwright-core");
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(bridge.url.replace("ws:", "http:"));
  await page.locator('#state[data-state="waiting"]').waitFor();
  await page.evaluate(() => {
    const state = document.querySelector("#state");
    window.states = [state.dataset.state];
    new MutationObserver(() => {
      if (window.states.at(-1) !== state.dataset.state) window.states.push(state.dataset.state);
    }).observe(state, { attributes: true });
  });
  const states = () => page.evaluate("states");
  /** The rows of the monitor, each with its kind, its text, and what stands beside it. */
  const rows = () => page.$$eval("#rows .row", (rows) => rows.map((row) => ({
    kind: row.classList[1], text: row.children[1].textContent, note: row.querySelector(".reply")?.textContent,
  })));
  return { page, rows, states, errors };
}

/** Starts the agent. Returns a function that calls its tools. */
async function agent(t, url) {
  const { Client } = load("agent", "@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = load("agent", "@modelcontextprotocol/sdk/client/stdio.js");
  const client = new Client({ name: AGENT, version: "1" });
  await client.connect(new StdioClientTransport({ command: PROGRAM, args: ["mcp", "--write", "--url", url], stderr: "inherit" }));
  t.after(() => client.close());
  return async (name, given = {}) => {
    const result = await within(name, client.callTool({ name, arguments: given }));
    assert.ok(!result.isError, JSON.stringify(result));
    return result.structuredContent;
  };
}

/** The entries of all files of a recording. */
function recorded(recordings) {
  const files = readdirSync(recordings).sort().map((name) => readFileSync(join(recordings, name), "utf8"));
  return files.flatMap((text) => text.trim().split("\n").slice(1)).map((line) => JSON.parse(line));
}

test("a page in Chromium and a recording see all that an agent and its board do", async (t) => {
  const own = sketch(t);
  await own.compile();
  const [path, recordings] = [join(own.place, "board"), join(own.place, "recordings")];
  const bridge = await startWithLines(t, `uno=${path}`, "--record", recordings);
  const { page, rows, states, errors } = await watch(t, bridge);
  const hears = await plugIn(t, path, own.compiled, bridge.levels);
  const call = await agent(t, bridge.url.replace("ws:", "http:"));
  await call("read", { history: 100, until: "^version 1$" });

  for (const version of [2, 3]) {
    own.edit(`version = ${version - 1};`, `version = ${version};`);
    await own.compile();
    const released = await call("release", { seconds: 120 });
    await hears("close");
    await until("the page to show that the port is released", async () => (await states()).at(-1) === "released");
    await run(join(firmware, "upload.sh"), [released.path, own.compiled]);
    await hears("close");
    const resumed = await call("resume");
    await call("read", { since: resumed.since, until: `^version ${version}$`, timeout: 12 });
    const reply = await call("ask", { text: "?", until: [`text:I am version ${version}`] });
    assert.match(reply.text, new RegExp(`I am version ${version}$`));
  }
  const reset = await call("reset");
  await call("read", { since: reset.since, until: "^version 3$", timeout: 12 });

  // Nothing comes any more, so that all can be compared.
  await call("release", { seconds: 120 });
  await until("the page to show that the port is released", async () => (await states()).at(-1) === "released");
  const expected = ["waiting", "open", "released", "open", "released", "open", "released"];
  assert.deepEqual(await states(), expected);
  assert.ok(await page.locator("#missed-figure").isHidden(), "the page missed something");
  await until("the recording to have the release", () => recorded(recordings).at(-1).status === "released");
  // While paused, the document has all rows that are kept.
  await page.click("#pause");
  const shown = await rows();
  const of = (...kinds) => shown.filter(({ kind }) => kinds.includes(kind));
  const entries = recorded(recordings);
  const received = entries.map(({ rx }) => rx ?? "").join("");
  // The reset may cut a line within its ending, of which the page then shows the first half.
  const bytes = of("line", "part").map(({ text }) => text.replace("‹CR›", "")).join("");
  assert.equal(bytes, received.replace(/[\r\n]/g, ""), "every byte is shown");
  assert.equal(received.match(/(?<!I am )version 3\r\n/g).length, 2, "after the upload, and after the reset");

  // What the status says before the board is there depends on the computer, and on when the page came.
  const sinceOpen = (list, isOpen) => list.slice(list.findIndex(isOpen));
  const statuses = sinceOpen(entries.filter(({ status }) => status), ({ status }) => status === "open");
  assert.deepEqual(statuses.map(({ status }) => status), expected.slice(1));
  const notes = sinceOpen(of("note").map(({ text }) => text), (text) => text.includes(" is open"));
  assert.deepEqual(notes, statuses.map(({ detail }) => detail));
  const releases = statuses.filter(({ status }) => status === "released");
  for (const { detail } of releases) assert.equal(detail, `released to another program for 120 s by "${AGENT}"`);

  const written = entries.filter(({ tx }) => tx);
  assert.deepEqual(written.map(({ tx }) => tx), ["?\n", "?\n"]);
  const writers = written.map(({ client }) => `client ${client} (“${AGENT}”)`);
  assert.deepEqual(of("other").map(({ text, note }) => [text, note]), writers.map((note) => ["?‹LF›", note]));
  assert.deepEqual(errors, [], "the page had errors");
});
