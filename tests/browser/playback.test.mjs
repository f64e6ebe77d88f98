// Recordings of firmware/recordings in the built-in page: a class without boards.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";

import { open, quit, root, start, until } from "./support.mjs";

after(quit);

const RECORDINGS = {
  potentiometer: /\d+$/,
  imu: /-?[\d.]+,-?[\d.]+,-?[\d.]+$/,
  "call-and-response": /\d+,\d+,[01]$/,
};

const text = (page, selector) => page.locator(selector).textContent();

/** Returns the place in the recording, in seconds. */
const place = (page) => page.locator("#playback-place").inputValue().then(Number);

/** Opens the page on a recording. */
async function play(t, name, settings = "") {
  const file = join(root, "firmware/recordings", `${name}.jsonl`);
  const bridge = await start(t, ["--port", `uno=play:'${file}'${settings}`]);
  const page = await open(t, bridge.url);
  await until("the length", async () => / \/ /.test(await text(page, "#playback-time")));
  return page;
}

for (const [name, line] of Object.entries(RECORDINGS)) {
  test(`${name} is played in the page as if it were the board`, async (t) => {
    const page = await play(t, name, ",speed=4,loop");
    await until("a line", async () => {
      const rows = await page.locator("#rows .row").allTextContents();
      return rows.some((row) => line.test(row.trim()));
    });
    assert.match(await text(page, "#board"), /Arduino Uno · \/dev\/ttyACM0/);
    await until("values in the legend", async () => (await page.locator("#legend-rows tr").count()) > 0);
  });
}

test("people pause a recording, go to another place, change the speed, and play it again", async (t) => {
  const page = await play(t, "potentiometer");
  await page.click("#playback-pause");
  await until("it to be paused", async () => (await text(page, "#playback-pause")) === "Play");
  await page.fill("#playback-place", "10");
  await until("the place", async () => (await place(page)) === 10);
  assert.match(await text(page, "#playback-time"), /^0:10 \/ 0:\d\d$/);
  assert.match(await page.getAttribute("#playback-place", "aria-valuetext"), /^0:10 \/ /);
  await page.selectOption("#playback-speed", "100");
  await page.click("#playback-pause");
  await until("the end", async () => (await page.getAttribute("#state", "data-state")) === "lost");
  assert.match(await text(page, "#detail"), /the recording has ended/);
  await until("a way to play it again", async () => (await text(page, "#playback-pause")) === "Play");
  await page.selectOption("#playback-speed", "1");
  await page.click("#playback-pause");
  await until("the beginning", async () => (await page.getAttribute("#state", "data-state")) === "open" && (await place(page)) < 9);
});

test("a board shows no controls of a recording", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await until("a line", async () => (await page.locator("#rows .row").count()) > 0);
  assert.equal(await page.locator("#playback").isVisible(), false);
});
