// Pages that get more than they can show, or are not looked at: they neither freeze nor fill the memory.
// Minutes of it with LONG=yes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { join } from "node:path";

import { PATIENCE, board, hide, open, quit, redirect, root, serve, sleep, standIn, start, tabs, until } from "./support.mjs";

after(quit);

const LONG = process.env.LONG === "yes";
/** Bytes of scripts' memory that a page may have more after all than before. */
const MORE = 24 << 20;
/** A page that stands still for so long seems dead, in milliseconds; a busy machine alone can take seconds. */
const FROZEN = 5000;

const newest = (page) => page.locator("#rows .row").last().textContent();

async function bridged(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  return { uno, bridge };
}

/** Lets the board say `rate` lines a second for so many seconds, and tells how many it were. */
async function flood(uno, seconds, rate, line) {
  let count = 0;
  for (const start = Date.now(); Date.now() - start < seconds * 1000;) {
    const due = Math.floor((Date.now() - start) * rate / 1000) - count;
    const lines = Array.from({ length: due }, (_, index) => line(count + index));
    if (due > 0) await uno.say(Buffer.concat(lines));
    count += due;
    await sleep(20);
  }
  return count;
}

const numbers = (count) => Buffer.from(`${count},${count % 100}\n`);

/** The memory of a page's scripts in bytes, without what could be freed. */
async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

/** Looks what `work` does to a page's memory, and how long it takes to be up to date after it. */
async function endures(t, page, work, isBack) {
  const before = await memory(page);
  await work();
  const end = Date.now();
  await until("what is newest", isBack, LONG ? PATIENCE * 6 : PATIENCE);
  const back = Date.now() - end;
  const more = await memory(page) - before;
  const mib = (bytes) => (bytes / (1 << 20)).toFixed(1);
  t.diagnostic(`${mib(before)} MiB before, ${mib(more)} more after; up to date after ${back} ms`);
  assert.ok(more < MORE, `${mib(more)} MiB more`);
}

/** What a board says that means no good, all of it in lines, each with its number. */
function hostile(count) {
  const kinds = [
    () => Buffer.from(`\x1b[3${count % 8}mred ${count}\x1b[0m\x07\n`),
    () => Buffer.concat([Buffer.from([0xff, 0xfe, 0x80, 0xc3]), Buffer.from(`${count}\n`)]),
    () => Buffer.from(`<img src=x onerror=alert(${count})>:${count}\n`),
    () => Buffer.from(`{"a${count}":${count}}\n`),
    () => Buffer.from(`${count},${count % 7},${count % 13}\n`),
  ];
  // A long line among many: more would be more bytes than any serial port has.
  return count % 1000 === 999 ? Buffer.from(`${"x".repeat(16370)}\n`) : kinds[count % kinds.length]();
}

for (const [name, line] of Object.entries({ numbers, "hostile lines": hostile })) {
  test(`10,000 ${name} a second do not freeze the page, nor fill its memory`, async (t) => {
    const { uno, bridge } = await bridged(t);
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
      await uno.say("\nend\n");
    }, async () => (await newest(page)).endsWith("end"));
    assert.ok(count > seconds * 9000, `${count} lines`);
    assert.ok(await page.locator("#rows .row").count() <= 150);
    const longest = await page.evaluate(() => window.longest);
    t.diagnostic(`${count} lines in ${seconds} s, longest frame ${Math.round(longest)} ms`);
    assert.ok(longest < FROZEN, `a frame took ${longest} ms`);
    const missed = page.locator("#missed-figure");
    if (await missed.isVisible()) t.diagnostic(await missed.textContent());
  });
}

test("a page that was hidden comes back at once", async (t) => {
  const { uno, bridge } = await bridged(t);
  const page = (await tabs(t)).pages()[0];
  await page.goto(bridge.url);
  await until("the port to be open", () => page.locator("#state[data-state=open]").count());
  await flood(uno, 2, 2000, numbers);
  await endures(t, page, () => hide(page, async () => {
    await flood(uno, LONG ? 240 : 3, 2000, numbers);
    await uno.say("end\n");
  }), async () => (await newest(page)).endsWith("end"));
  assert.ok(await page.locator("#rows .row").count() <= 150);
});

test("a page that was frozen comes back, and says what it missed", async (t) => {
  const { uno, bridge } = await bridged(t, ["--max-behind", "1s"]);
  const page = (await tabs(t)).pages()[0];
  await page.goto(bridge.url);
  await until("the port to be open", () => page.locator("#state[data-state=open]").count());
  await flood(uno, 2, 2000, numbers);
  await page.evaluate(() => document.addEventListener("freeze", () => { window.wasFrozen = true; }));
  const session = await page.context().newCDPSession(page);
  await endures(t, page, () => hide(page, async () => {
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    // More than what the system and the browser keep of a connection that nobody reads.
    await flood(uno, LONG ? 120 : 15, 4000, numbers);
    await uno.say("end\n");
    await session.send("Page.setWebLifecycleState", { state: "active" });
  }), async () => (await newest(page)).endsWith("end"));
  assert.ok(await page.evaluate(() => window.wasFrozen));
  assert.ok(await page.locator("#missed-figure").isVisible());
  assert.ok(await page.locator("#rows .row").count() <= 150);
});

test("a sketch that was hidden goes on with the newest reading", async (t) => {
  const { uno, bridge } = await bridged(t);
  const page = await (await tabs(t)).newPage();
  await redirect(page, bridge.port);
  await standIn(page);
  await page.goto(`${await serve(t, join(root, "web/p5/OneNumber"))}/`);
  await until("the connection", () => page.evaluate("socket?.readyState === 1"));
  await flood(uno, 2, 2000, numbers);
  await endures(t, page, () => hide(page, async () => {
    await flood(uno, LONG ? 240 : 3, 2000, numbers);
    await uno.say("-7\n");
  }), () => page.evaluate("readings.at(-1) === -7"));
  assert.ok(await page.evaluate("readings.length <= width"));
});
