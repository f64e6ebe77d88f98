// The pages and programs that the documents show, as a reader would paste them.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { spawn } from "../spawn.mjs";
import { mockCdn, open, proxy, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** The block of a document that has this language and contains `part`, as it is or for a bridge on another TCP port. */
function example(path, language, part, bridge) {
  const document = readFileSync(join(root, path), "utf8");
  const blocks = [...document.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))].map(([, text]) => text);
  const found = blocks.find((text) => text.includes(part));
  assert.ok(found, `${path} has an example with ${part}`);
  return bridge ? found.replaceAll("localhost:8080", `127.0.0.1:${bridge.port}`) : found;
}

/** A page of another web server on this computer. */
async function pageWith(t, content) {
  const page = await open(t, `${await serve(t, root)}/LICENSE-MIT`);
  await page.setContent(`<!doctype html><body>${content}`);
  return page;
}

test("the page of the README shows readings", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await pageWith(t, example("README.md", "html", "new WebSocket", bridge));
  await until("a reading", async () => /^\d+,\d+,\d$/.test(await page.textContent("#reading")));
});

test("the two files of the README are a page that shows readings, also on another TCP port and under a prefix", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-my-sketch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "index.html"), example("README.md", "html", "p5.min.js"));
  writeFileSync(join(folder, "sketch.js"), example("README.md", "js", "createCanvas"));
  const bridge = await start(t, ["sim", "--web", folder]);
  const near = await proxy(t, bridge.port, "/board");
  for (const address of [bridge.url, `${near.url}/board/`]) {
    const page = await open(t);
    const requested = await mockCdn(page);
    await page.goto(address);
    await until(`a reading at ${address}`, () => page.evaluate("reading > 0"));
    assert.equal(requested.length, 1, String(requested));
  }
});

test("the sketch of the README works without the page, as in the p5 web editor", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const sketch = example("README.md", "js", "createCanvas", bridge);
  const p5 = "/tests/browser/node_modules/p5/lib/p5.min.js";
  const page = await pageWith(t, `<script src="${p5}"></script><script>${sketch}</script>`);
  await until("a reading", () => page.evaluate("reading > 0"));
});

test("the client for Node prints lines", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  // Older versions of Node have no WebSocket of their own without this flag.
  const flags = typeof WebSocket === "undefined" ? ["--experimental-websocket"] : [];
  const program = example("docs/other-languages.md", "js", "console.log", bridge);
  const node = spawn(process.execPath, [...flags, "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => node.kill());
  let printed = "";
  node.stdout.on("data", (data) => { printed += data; });
  await until("a line", () => /^\d+,\d+,\d$/m.test(printed));
});
