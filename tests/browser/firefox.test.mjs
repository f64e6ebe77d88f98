// The built-in page in Firefox, with the real program: it connects, shows, plots, sends and changes the
// rate there too. All else is tested in Chromium.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import puppeteer from "puppeteer-core";

import { board, start, until } from "./support.mjs";

const FIREFOX = process.env.SERIAL_WS_TEST_FIREFOX;
const skip = FIREFOX ? false : "there is no Firefox (on Debian: sudo apt-get install firefox-esr)";

/** Opens a page in Firefox on which every error fails the test. */
async function open(t, url) {
  const home = mkdtempSync(join(tmpdir(), "serial-ws-firefox-"));
  const browser = await puppeteer.launch({
    browser: "firefox", executablePath: FIREFOX, headless: true, defaultViewport: { width: 1280, height: 800 },
    env: { ...process.env, HOME: home },
  });
  const errors = [];
  t.after(async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    assert.deepEqual(errors, [], "the page had errors");
  });
  const page = await browser.newPage();
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  await page.goto(url);
  return page;
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const rows = (page) => page.$$eval("#rows .row", (rows) => rows.map((row) => row.textContent));

test("in Firefox, the page connects, shows lines and plots, and changes the rate", { skip }, async (t) => {
  const bridge = await start(t, ["--port", "uno=sim:uart:57600"]);
  const page = await open(t, bridge.url);
  await until("the port to be open", async () => (await page.$eval("#state", (state) => state.dataset.state)) === "open");
  await until("lines", async () => (await rows(page)).some((row) => /\d+,\d+,[01]$/.test(row)));
  await until("three series", async () => (await page.$$("#legend tbody tr")).length === 3);
  const value = await text(page, "#legend .value");
  await until("the plot to move", async () => (await text(page, "#legend .value")) !== value);
  const rate = () => page.$eval("#baud", (menu) => menu.selectedOptions[0].text);
  await until("the rate", async () => (await rate()) === "auto · 57600");
  await page.select("#baud", "4800");
  await until("another rate", async () => (await rate()) === "4800" && (await bridge.settings()).baud === 4800);
  await page.click("#settings summary");
  await page.select("#parity", "even");
  await until("parity", async () => (await bridge.settings()).parity === "even");
  await page.click("#take");
  await until("the board", async () => (await text(page, "#lock-text")).startsWith("You have the board"));
});

test("in Firefox, a text that is sent reaches the board, and each view shows what it answers", { skip }, async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await until("the port to be open", async () => (await page.$eval("#state", (state) => state.dataset.state)) === "open");
  await uno.send("\nready\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("ready")));
  await page.type("#text", "LED 1");
  await page.keyboard.press("Enter");
  await until("the text", () => uno.received.endsWith("LED 1\n"));
  await until("that it was written", async () => (await rows(page)).some((row) => /LED 1‹LF›✓$/.test(row)));
  await page.select("#view", "hex");
  await until("its bytes from the history", async () => (await rows(page)).join("\n").includes("72 65 61 64 79"));
  await page.reload();
  await until("the same view", async () => (await rows(page)).join("\n").includes("72 65 61 64 79"));
});
