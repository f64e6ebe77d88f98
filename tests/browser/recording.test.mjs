// The Record menu of the built-in page: starts and stops a recording, shows its size, and adds notes.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { open, quit, start, until } from "./support.mjs";

after(quit);

const text = (page, selector) => page.locator(selector).textContent();
const mark = (page) => page.getAttribute("#recording", "data-recording");

/** Makes a folder for recordings, which is removed when the test ends. */
function recordings(t) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-recordings-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // What is complete is compressed soon.
  const files = () => new Set(readdirSync(folder).map((name) => name.replace(/\.gz(\.part)?$/, "")));
  const all = () => readdirSync(folder).filter((name) => name.endsWith(".jsonl")).map((name) => readFileSync(join(folder, name), "utf8")).join("");
  return { folder, files, all };
}

test("people stop a recording, start another one, and note what they see", async (t) => {
  const { folder, files, all } = recordings(t);
  const bridge = await start(t, ["--port", "uno=sim", "--record", folder]);
  const page = await open(t, bridge.url);
  await until("the red dot", async () => (await mark(page)) === "on");
  await until("a size", async () => /^\d+(\.\d)? [KM]?B$/.test(await text(page, "#recording-size")));
  await page.click("#recording > summary");
  assert.match(await text(page, "#recording-about"), /^Recording to uno-\d{8}T\d{6}Z\.jsonl$/);

  await page.fill("#recording-text", "second trial");
  await page.press("#recording-text", "Enter");
  await until("the note to be taken", async () => (await page.inputValue("#recording-text")) === "");
  await until("it in the file", () => all().includes('"note":"second trial"'));
  await until("it to be told", async () => /noted in the recording: second trial/.test(await text(page, "#rows")));
  if (process.env.SERIAL_WS_TEST_PICTURES) await page.screenshot({ path: join(process.env.SERIAL_WS_TEST_PICTURES, "recording-on.png") });

  await page.click("#recording-toggle");
  await until("the dot to go", async () => (await mark(page)) === "off");
  assert.equal(await text(page, "#recording-size"), "Record");
  assert.equal(await page.isVisible("#recording-note"), false);
  const before = files().size;
  await page.click("#recording-toggle");
  await until("another recording", async () => (await mark(page)) === "on");
  await until("a file of its own", () => files().size > before);
});

test("a recording that cannot go on says why", async (t) => {
  const { folder } = recordings(t);
  const bridge = await start(t, ["--port", "uno=sim", "--record", folder]);
  const page = await open(t, bridge.url);
  await until("the red dot", async () => (await mark(page)) === "on");
  const elsewhere = `${folder}-elsewhere`;
  renameSync(folder, elsewhere);
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  await until("the pause", async () => (await mark(page)) === "paused");
  await page.click("#recording > summary");
  assert.match(await text(page, "#recording-about"), /^Paused: cannot record to .*: there is no such folder\.$/);
  if (process.env.SERIAL_WS_TEST_PICTURES) await page.screenshot({ path: join(process.env.SERIAL_WS_TEST_PICTURES, "recording-paused.png") });
});

test("without a folder, the menu says how to name one, and a phone has room for it", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url, { viewport: { width: 390, height: 700 } });
  await until("the menu", () => page.isVisible("#recording"));
  await page.click("#recording > summary");
  assert.match(await text(page, "#recording-none"), /--record DIR/);
  assert.equal(await page.isVisible("#recording-controls"), false);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is too wide");
  if (process.env.SERIAL_WS_TEST_PICTURES) await page.screenshot({ path: join(process.env.SERIAL_WS_TEST_PICTURES, "recording-none.png") });
});
