// Pages that receive more than they can show, or are hidden: they neither freeze nor fill the memory.
// With LONG=yes this takes minutes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { join } from "node:path";

import { TIMEOUT, board, hide, open, quit, redirect, root, serve, sleep, mockCdn, start, tabs, until } from "./support.mjs";

after(quit);

const LONG = process.env.LONG === "yes";
/** Bytes by which the script memory of a page may grow. */
const MAX_GROWTH = 24 << 20;
/** Longest frame in milliseconds. A page that stalls longer seems dead; a busy machine alone can take seconds. */
const MAX_FRAME_TIME = 5000;

const newest = (page) => page.locator("#rows .row").last().textContent();

async function onBoard(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  return { uno, bridge };
}

/** Sends `rate` lines a second from the board for `seconds`, and returns their number. */
async function flood(uno, seconds, rate, line) {
  let count = 0;
  for (const start = Date.now(); Date.now() - start < seconds * 1000;) {
    const due = Math.floor((Date.now() - start) * rate / 1000) - count;
    const lines = Array.from({ length: due }, (_, index) => line(count + index));
    if (due > 0) await uno.send(Buffer.concat(lines));
    count += due;
    await sleep(20);
  }
  return count;
}

const numbers = (count) => Buffer.from(`${count},${count % 100}\n`);

/** Returns the script memory of a page in bytes, after garbage collection. */
async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

/** Checks that `work` does not fill a page's memory, and that the page is up to date soon after it. */
async function endures(t, page, work, isUpToDate) {
  const before = await memory(page);
  await work();
  const end = Date.now();
  await until("the newest data", isUpToDate, LONG ? TIMEOUT * 6 : TIMEOUT);
  const delay = Date.now() - end;
  const growth = await memory(page) - before;
  const mib = (bytes) => (bytes / (1 << 20)).toFixed(1);
  t.diagnostic(`${mib(before)} MiB before, ${mib(growth)} more after; up to date after ${delay} ms`);
  assert.ok(growth < MAX_GROWTH, `${mib(growth)} MiB more`);
}

/** Returns a line of a malicious board, with its number. */
function hostile(count) {
  const kinds = [
    () => Buffer.from(`\x1b[3${count % 8}mred ${count}\x1b[0m\x07\n`),
    () => Buffer.concat([Buffer.from([0xff, 0xfe, 0x80, 0xc3]), Buffer.from(`${count}\n`)]),
    () => Buffer.from(`<img src=x onerror=alert(${count})>:${count}\n`),
    () => Buffer.from(`{"a${count}":${count}}\n`),
    () => Buffer.from(`${count},${count % 7},${count % 13}\n`),
  ];
  // Only a few long lines: more would exceed the data rate of any serial port.
  return count % 1000 === 999 ? Buffer.from(`${"x".repeat(16370)}\n`) : kinds[count % kinds.length]();
}

for (const [name, line] of Object.entries({ numbers, "hostile lines": hostile })) {
  test(`10,000 ${name} a second do not freeze the page, nor fill its memory`, async (t) => {
    const { uno, bridge } = await onBoard(t);
    const page = await open(t, bridge.url);
    await until("the port to be open", () => page.locator("#state[data-state=open]").count());
    await page.evaluate(() => {
      window.longest = 0;
      let last = performance.now();
      requestAnimationFrame(function measure(now) {
        window.longest = Math.max(window.longest, now - last);
        last = now;
        requestAnimationFrame(measure);
      });
    });
    const seconds = LONG ? 60 : 4;
    let count = 0;
    await endures(t, page, async () => {
      count = await flood(uno, seconds, 10000, line);
      await uno.send("\nend\n");
    }, async () => (await newest(page)).endsWith("end"));
    assert.ok(count > seconds * 9000, `${count} lines`);
    assert.ok(await page.locator("#rows .row").count() <= 150);
    const longest = await page.evaluate(() => window.longest);
    t.diagnostic(`${count} lines in ${seconds} s, longest frame ${Math.round(longest)} ms`);
    assert.ok(longest < MAX_FRAME_TIME, `a frame took ${longest} ms`);
    const missed = page.locator("#missed-figure");
    if (await missed.isVisible()) t.diagnostic(await missed.textContent());
  });
}

test("a hidden page catches up at once when it is shown", async (t) => {
  const { uno, bridge } = await onBoard(t);
  const page = (await tabs(t)).pages()[0];
  await page.goto(bridge.url);
  await until("the port to be open", () => page.locator("#state[data-state=open]").count());
  await flood(uno, 2, 2000, numbers);
  await endures(t, page, () => hide(page, async () => {
    await flood(uno, LONG ? 240 : 3, 2000, numbers);
    await uno.send("end\n");
  }), async () => (await newest(page)).endsWith("end"));
  assert.ok(await page.locator("#rows .row").count() <= 150);
});

test("a frozen page catches up, and says what it missed", async (t) => {
  const { uno, bridge } = await onBoard(t, ["--max-behind", "1s"]);
  const page = (await tabs(t)).pages()[0];
  await page.goto(bridge.url);
  await until("the port to be open", () => page.locator("#state[data-state=open]").count());
  await flood(uno, 2, 2000, numbers);
  await page.evaluate(() => document.addEventListener("freeze", () => { window.wasFrozen = true; }));
  const session = await page.context().newCDPSession(page);
  await endures(t, page, () => hide(page, async () => {
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    // More than the system and the browser buffer for a connection that is not read.
    await flood(uno, LONG ? 120 : 15, 4000, numbers);
    await uno.send("end\n");
    await session.send("Page.setWebLifecycleState", { state: "active" });
  }), async () => (await newest(page)).endsWith("end"));
  assert.ok(await page.evaluate(() => window.wasFrozen));
  assert.ok(await page.locator("#missed-figure").isVisible());
  assert.ok(await page.locator("#rows .row").count() <= 150);
});

test("a hidden sketch resumes with the newest reading", async (t) => {
  const { uno, bridge } = await onBoard(t);
  const page = await (await tabs(t)).newPage();
  await redirect(page, bridge.port);
  await mockCdn(page);
  await page.goto(`${await serve(t, join(root, "web/p5/OneNumber"))}/`);
  await until("the connection", () => page.evaluate("socket?.readyState === 1"));
  await flood(uno, 2, 2000, numbers);
  await endures(t, page, () => hide(page, async () => {
    await flood(uno, LONG ? 240 : 3, 2000, numbers);
    await uno.send("-7\n");
  }), () => page.evaluate("readings.at(-1) === -7"));
  assert.ok(await page.evaluate("readings.length <= width"));
});
