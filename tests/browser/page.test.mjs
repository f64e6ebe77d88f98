// The built-in page in a real browser, with the real program.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { board, hide, proxy, open, pixels, quit, root, sleep, start, tabs, TIMEOUT, until } from "./support.mjs";

after(quit);

const rows = (page) => page.locator("#rows .row").allTextContents();
const state = (page) => page.locator("#state").getAttribute("data-state");
const text = (page, selector) => page.locator(selector).first().textContent();
const isOpen = (page) => until("the port to be open", async () => (await state(page)) === "open");

/** Returns the path of a screenshot, which is for people to look at. */
function shot(name) {
  const folder = join(root, "target/browser");
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** Counts the pixels of the plot that have the colour of the first series. */
function curve(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("#canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colour = new Uint8Array(4);
    const swatch = getComputedStyle(document.querySelector(".s1")).backgroundColor;
    colour.set([...swatch.match(/\d+/g).map(Number), 255]);
    return new Uint32Array(data.buffer).filter((word) => word === new Uint32Array(colour.buffer)[0]).length;
  });
}

/** Clicks a button, which may be in a menu, and returns the file that it saves. */
async function saved(page, button) {
  const menu = page.locator(`details:has(${button}):not([open]) > summary`);
  if (await menu.count() > 0) await menu.click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** Opens a page on a board that has already sent its first, partial line. */
async function onBoard(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await uno.send("\nready\n");
  await until("the first line", async () => (await rows(page)).some((row) => row.endsWith("ready")));
  return { uno, bridge, page };
}

test("the rate in force is shown, also when it is found while the page is open", async (t) => {
  const bridge = await start(t, ["--port", "sim:uart:57600"]);
  const page = await open(t, bridge.url);
  const rate = () => page.locator("#baud option:checked").textContent();
  await until("the rate", async () => (await rate()) === "auto · 57600");
  await until("the remark", async () => (await text(page, "#baud-remark")) === "detected");
  await page.selectOption("#baud", "4800");
  await until("another rate", async () => (await rate()) === "4800" && (await bridge.settings()).baud === 4800);
  await page.reload();
  await until("the same rate", async () => (await rate()) === "4800");
  await page.selectOption("#baud", "other");
  await page.keyboard.type("12345");
  await page.keyboard.press("Enter");
  await until("a rate of one's own", async () => (await rate()) === "12345" && (await bridge.settings()).baud === 12345);
  await page.selectOption("#baud", "other");
  await page.keyboard.type("1");
  await page.keyboard.press("Escape");
  assert.equal(await rate(), "12345");
  assert.equal(await page.isVisible("#baud-other"), false);
  await page.selectOption("#baud", "auto");
  await until("the rate to be found again", async () => (await rate()) === "auto · 57600" && (await text(page, "#baud-remark")) === "detected");
  await until("lines", async () => (await rows(page)).some((row) => /\d+,\d+,[01]$/.test(row)));
});

test("the data format is under More, and what is fixed says by what, and can be changed by who has the board", async (t) => {
  const bridge = await start(t, ["--port", "sim:uart:57600", "--baud", "57600", "--parity", "none"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  assert.equal(await page.isDisabled("#baud"), true);
  assert.equal(await page.getAttribute("#baud", "title"), "fixed to 57600 by --baud");
  assert.equal(await page.locator("#baud option:checked").textContent(), "57600 · fixed");
  await page.click("#settings summary");
  assert.deepEqual(await page.locator("#fixed-list li").allTextContents(), ["Rate: fixed to 57600 by --baud", "Parity: fixed to none by --parity"]);
  assert.equal(await page.isDisabled("#parity"), true);
  await page.selectOption("#stop-bits", "2");
  await until("two stop bits", async () => (await bridge.settings()).stopBits === 2);
  await page.screenshot({ path: shot("fixed") });
  await page.click("#take");
  await until("the board", async () => (await text(page, "#lock-text")).startsWith("You have the board"));
  await until("the rate to be free", () => page.isEnabled("#baud"));
  await page.selectOption("#baud", "9600");
  await until("another rate", async () => (await bridge.settings()).baud === 9600);
  // Another view is another connection, and the page takes the board again.
  await page.selectOption("#view", "hex");
  await until("the board again", () => page.isVisible("#give-back"));
  await page.click("#give-back");
  await until("the fixed rate", async () => (await bridge.settings()).baud === 57600 && await page.isDisabled("#baud"));
  assert.equal(await page.isVisible("#lock"), false);
});

test("who has the board is told to all, and the operator can take it away", async (t) => {
  const { uno, page, bridge } = await onBoard(t);
  await page.fill("#text", "x");
  await page.keyboard.press("Enter");
  await receives(uno, "x\n");
  await page.click("#sent summary");
  await page.locator("#sent-list .keep").first().click();
  const other = await open(t, bridge.url);
  await isOpen(other);
  await other.click("#settings summary");
  await other.click("#take");
  await until("the notice", async () => /^Client \d+ \(“the serial-ws page”, page at 127\.0\.0\.1:\d+\) has the board: nobody/.test(await text(page, "#lock-text")));
  await page.screenshot({ path: shot("locked") });
  const controls = ["#text", "#send-button", "#commands .command", "#baud", "#data-bits", "#take", "#release"];
  for (const control of controls) assert.equal(await page.isDisabled(control), true, control);
  for (const control of ["#send-button", "#baud", "#take", "#commands .command"]) assert.match(await page.getAttribute(control, "title"), /has the board$/, control);
  assert.match(await page.getAttribute("#text", "placeholder"), /^Sending is disabled: client \d+ has the board$/);
  await page.click("#end-lock");
  await until("the board to be free", async () => !(await page.isVisible("#lock")) && await page.isEnabled("#text"));
  await until("the other page to be told", async () => (await rows(other)).some((row) => row.endsWith("you no longer have the board")));
  for (const control of controls) assert.equal(await page.isDisabled(control), false, control);
});

test("with --lock operator only the operator sends, until the lock is given to another page and taken back", async (t) => {
  const near = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === "IPv4" && !internal);
  if (!near) return t.skip("this computer is in no network");
  const token = join(mkdtempSync(join(tmpdir(), "serial-ws-")), "token");
  writeFileSync(token, "correct-horse-battery", { mode: 0o600 });
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, "--lock", "operator", "--lan", "--listen", "0.0.0.0:0", "--lan-token", token]);
  const teacher = await open(t, bridge.url);
  // The same page by the address of this computer in the network is anybody's.
  const [, port] = await until("the address for others", () => bridge.log().match(/ws:\/\/0\.0\.0\.0:(\d+)/));
  const pupil = await open(t, `http://${near.address}:${port}/?token=correct-horse-battery`);
  await Promise.all([teacher, pupil].map(isOpen));
  await until("the teacher to be told", async () => (await text(teacher, "#lock-text")).startsWith("Only you can send"));
  await until("the pupil to be told", async () => (await text(pupil, "#lock-text")).startsWith("Only the operator of serial-ws can send"));
  assert.equal(await pupil.isDisabled("#text"), true);
  await until("the teacher's controls", () => teacher.isEnabled("#text"));
  await teacher.fill("#text", "mine");
  await teacher.keyboard.press("Enter");
  await receives(uno, "mine\n");

  await teacher.click("#share summary");
  const entry = teacher.locator("#clients li", { hasText: near.address }).filter({ hasText: "uno" });
  await entry.getByRole("button", { name: "Give the lock" }).click();
  await until("the pupil to have the board", async () => (await text(pupil, "#lock-text")).startsWith("You have the board"));
  await until("the button to take it back", () => entry.getByRole("button", { name: "Take the lock back" }).isVisible());
  await teacher.screenshot({ path: shot("lock-given") });
  await pupil.screenshot({ path: shot("lock-had") });
  assert.equal(await teacher.isDisabled("#text"), true);
  await pupil.fill("#text", "theirs");
  await pupil.keyboard.press("Enter");
  await receives(uno, "theirs\n");

  await entry.getByRole("button", { name: "Take the lock back" }).click();
  await until("the pupil to be told again", async () => (await text(pupil, "#lock-text")).startsWith("Only the operator"));
  await until("the teacher's controls again", () => teacher.isEnabled("#text"));
  await pupil.screenshot({ path: shot("lock-operator") });
});

test("lines appear and a plot moves without any click", async (t) => {
  const page = await open(t);
  const before = Date.now();
  const bridge = await start(t, ["--port", "sim"]);
  await page.goto(bridge.url);
  await until("lines", async () => (await rows(page)).some((row) => /\d+,\d+,[01]$/.test(row)));
  await until("three series", async () => (await page.locator("#legend tbody tr").count()) === 3);
  const first = await pixels(page, "#canvas");
  await until("the plot to move", async () => (await pixels(page, "#canvas")).sum !== first.sum);
  t.diagnostic(`a moving plot ${Date.now() - before} ms after the command`);
  assert.ok(first.drawn > 300, JSON.stringify(first));
  const value = await text(page, "#legend .value");
  await until("the legend to follow", async () => (await text(page, "#legend .value")) !== value);
  await until("the rate", async () => /^[45]\d lines\/s$/.test(await text(page, "#rate")));
  assert.match(await text(page, "#delay"), /^\d+ ms$/);
  assert.equal(await page.locator("#missed-figure").isVisible(), false);
});

test("frames that are no text are shown as hex, with their length", async (t) => {
  const bridge = await start(t, ["--port", "loop", "--frame", "slip"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  for (const body of ["ready", Uint8Array.of(1, 0xc0, 0xff)]) {
    await fetch(`${bridge.url}/api/ports/loop/write?frame`, { method: "POST", body });
  }
  await until("the frames", async () => (await rows(page)).some((row) => row.endsWith("01 c0 ff  (3 bytes)")));
  assert.ok((await rows(page)).some((row) => row.endsWith("ready")));
  await page.screenshot({ path: shot("frames") });
});

test("pause stops the plot and the monitor, and both resume", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await until("three series", async () => (await page.locator("#legend tbody tr").count()) === 3);
  await page.click("#plot-pause");
  await page.click("#pause");
  await sleep(200);
  const [still, shown] = [await pixels(page, "#canvas"), await rows(page)];
  await sleep(500);
  assert.deepEqual(await pixels(page, "#canvas"), still);
  assert.deepEqual(await rows(page), shown);
  await until("the number of newer lines", async () => /\d+ newer/.test(await text(page, "#newest")));
  await page.click("#plot-pause");
  await page.click("#newest");
  await until("both to resume", async () => (await pixels(page, "#canvas")).sum !== still.sum && (await rows(page)).at(-1) !== shown.at(-1));
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "false");
});

test("a paused plot keeps its picture, values and table, whatever arrives", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.send("a:1\n");
  await sleep(100);
  await uno.send("a:2\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "2");
  await page.click("#plot-pause");
  const table = (await saved(page, "#csv-all")).bytes.toString();
  assert.equal(table.trim().split("\r\n").length, 3);
  const still = await pixels(page, "#canvas");
  await page.selectOption("#span", "60");
  await until("a longer time", async () => (await pixels(page, "#canvas")).sum !== still.sum);
  const longer = await pixels(page, "#canvas");
  // More samples than the table keeps.
  for (let count = 0; count < 132; count++) await uno.send("a:5\n".repeat(1000));
  await uno.send("end\n");
  // So many lines take a busy computer a while.
  await until("the end", async () => (await rows(page)).at(-1)?.endsWith("end"), 4 * TIMEOUT);
  assert.deepEqual(await pixels(page, "#canvas"), longer);
  await page.selectOption("#span", "10");
  await until("the same picture", async () => (await pixels(page, "#canvas")).sum === still.sum);
  assert.equal(await text(page, "#legend .value"), "2");
  assert.equal((await saved(page, "#csv-all")).bytes.toString(), table);
  await page.click("#plot-clear");
  await until("the plot to be empty", () => page.isVisible("#plot-empty"));
  assert.equal(await page.getAttribute("#plot-pause", "aria-pressed"), "false");
});

for (const seconds of [30, -30]) {
  test(`the plot moves even if the clock of serial-ws is ${-seconds} s off, as through a tunnel`, async (t) => {
    const bridge = await start(t, ["--port", "sim"]);
    const page = await open(t);
    await page.addInitScript((seconds) => {
      const { now } = Date;
      Date.now = () => now() + seconds * 1000;
    }, seconds);
    await page.goto(bridge.url);
    await until("three series", async () => (await page.locator("#legend tbody tr").count()) === 3);
    await until("a plot", async () => (await curve(page)) > 50);
    const { sum } = await pixels(page, "#canvas");
    await until("it to move", async () => (await pixels(page, "#canvas")).sum !== sum);
    await until("the delay", async () => /^\d+ ms$/.test(await text(page, "#delay")));
  });
}

test("the legend shows the values under the pointer, and those chosen by arrow keys", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.send("a:1\n");
  await sleep(300);
  await uno.send("a:500\n");
  await until("the newest value", async () => (await text(page, "#legend .value")) === "500");
  await page.focus("#canvas");
  await page.keyboard.press("ArrowLeft");
  await until("the value before", async () => (await text(page, "#legend .value")) === "1");
  await page.keyboard.press("Escape");
  await until("the newest value", async () => (await text(page, "#legend .value")) === "500");
  const box = await page.locator("#canvas").boundingBox();
  await page.mouse.move(box.x + 70, box.y + 50);
  await until("the oldest value", async () => (await text(page, "#legend .value")) === "1");
  await page.click("#legend .show");
  await until("the series to be hidden", async () => (await page.getAttribute("#legend .show", "aria-pressed")) === "false");
});

test("the values keep changing under a resting pointer, and after the chosen sample has scrolled away", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await page.selectOption("#span", "5");
  const value = () => text(page, "#legend .value");
  const box = await page.locator("#canvas").boundingBox();
  await page.mouse.move(box.x + box.width - 30, box.y + 50);
  await until("a value", async () => /\d/.test(await value()));
  const first = await value();
  await until("another value", async () => (await value()) !== first);
  await page.mouse.move(0, 0);
  await page.focus("#canvas");
  await page.keyboard.press("ArrowLeft");
  await sleep(200);
  const chosen = await value();
  await sleep(1000);
  assert.equal(await value(), chosen, "it stays on the sample while that is visible");
  await until("another value", async () => (await value()) !== chosen);
});

test("the legend says how many more series there are than fit", async (t) => {
  const { uno, page } = await onBoard(t);
  const forty = (line) => Array.from({ length: 40 }, (_, index) => Math.round(100 * Math.sin(line / 9 + index))).join();
  for (let line = 0; line < 30; line++) {
    await uno.send(`${forty(line)}\n`);
    await sleep(30);
  }
  await until("the number of further series", async () => (await text(page, "#more")) === "and 24 more series, which are not kept");
  assert.equal(await page.locator("#legend tbody tr").count(), 16);
  await page.setViewportSize({ width: 1280, height: 480 });
  await sleep(200);
  await page.screenshot({ path: shot("forty-series") });
  const { height } = await page.locator("#canvas").boundingBox();
  assert.ok(height > 150, `the plot is ${height} pixels high`);
});

test("large numbers are readable, on the axis and in the legend", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.evaluate(() => {
    window.written = new Map();
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      if (this.textAlign === "right") window.written.set(text, x - this.measureText(text).width);
      fillText.call(this, text, x, y);
    };
  });
  await uno.send("12345678901\n12345678930\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "12345678930");
  // The scale may have started with the first number alone, and then shrinks slowly.
  const written = await until("an axis from one number to the other", async () => {
    const written = await page.evaluate(() => {
      const written = [...window.written];
      window.written.clear();
      return written;
    });
    return written.length > 1 && written.every(([text]) => /^123456789\d\d$/.test(text)) && written;
  });
  for (const [text, left] of written) assert.ok(left >= 0, `${text} begins at ${left}`);
  await page.screenshot({ path: shot("large-numbers") });
});

/** Sends samples of a rising line, `a` from 1 to `count`, and of `b`, which is a thousand times as much. */
async function ramp(t, count = 40) {
  const { uno, page, bridge } = await onBoard(t);
  for (let index = 1; index <= count; index++) {
    await uno.send(`a:${index} b:${index * 1000}\n`);
    await sleep(20);
  }
  await until("the newest sample", async () => (await text(page, "#legend .value")) === String(count));
  return { uno, page, bridge };
}

/** Returns the samples of a CSV file as rows of fields. */
async function samples(page, button) {
  return (await saved(page, button)).bytes.toString().trim().split("\r\n").slice(1).map((line) => line.split(","));
}

const span = (page) => page.locator("#span option:checked").textContent();

test("the plot is zoomed and panned with the mouse, and a double click follows the newest again", async (t) => {
  const { uno, page } = await ramp(t);
  const box = await page.locator("#canvas").boundingBox();
  const [right, middle] = [box.x + box.width - 11, box.y + box.height / 2];
  assert.equal((await samples(page, "#csv-shown")).length, 40);
  // Without the board the plot stands still, with the newest sample at its right edge.
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  await page.mouse.move(right - 1, middle);
  for (let notch = 0; notch < 20; notch++) await page.mouse.wheel(0, -100);
  await until("a shorter span", async () => /^\d+ ms$/.test(await span(page)));
  assert.ok(await page.isVisible("#live"));
  const zoomed = await samples(page, "#csv-shown");
  assert.ok(zoomed.length >= 1 && zoomed.length < 40, `${zoomed.length} samples`);
  await uno.plug();
  await isOpen(page);
  await uno.send("\na:500\n");
  await until("the line", async () => (await rows(page)).at(-1)?.endsWith("a:500"));
  assert.deepEqual(await samples(page, "#csv-shown"), zoomed, "what arrives does not move it");
  await page.mouse.move(right - 200, middle);
  await page.keyboard.down("Shift");
  await page.mouse.down();
  await page.mouse.move(right, middle, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  const older = await samples(page, "#csv-shown");
  assert.ok(Number(older[0][0]) < Number(zoomed[0][0]), "it shows what is older");
  await page.mouse.dblclick(right - 100, middle);
  await page.mouse.move(0, 0);
  await until("the newest sample", async () => (await text(page, "#legend .value")) === "500");
  assert.equal(await span(page), "10 s");
  assert.equal(await page.isVisible("#live"), false);
  assert.equal((await samples(page, "#csv-all")).length, 41);
});

test("dragging across the plot zooms to that time, and to those values if it is high enough", async (t) => {
  const { uno, page } = await ramp(t);
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  await page.click("#legend tbody tr:last-child .show");
  const times = (await samples(page, "#csv-all")).map(([time]) => Number(time));
  const box = await page.locator("#canvas").boundingBox();
  // The area of the curves, with an axis of two digits: see chart.js.
  const [left, width] = [box.x + 58, box.width - 58 - 10];
  const x = (time) => left + width - (times.at(-1) - time) / 10 * width;
  const drag = async (from, to) => {
    await page.mouse.move(...from);
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 5 });
    await page.mouse.up();
  };
  await drag([x(times[10]), box.y + 100], [x(times[30]), box.y + 110]);
  const found = (await samples(page, "#csv-shown")).map(([time]) => Number(time));
  const isNear = (time, other) => Math.abs(time - other) < 0.1 || times.filter((it) => it > Math.min(time, other) && it < Math.max(time, other)).length === 0;
  assert.ok(isNear(found[0], times[10]) && isNear(found.at(-1), times[30]), `${found}: ${times}`);
  assert.equal(await page.inputValue("#scale"), "auto");
  await drag([left + 50, box.y + 100], [left + width - 50, box.y + 200]);
  await until("a scale of its own", async () => (await page.inputValue("#scale")) === "fixed");
  assert.ok(await page.isVisible("#low"));
  await page.focus("#canvas");
  await page.keyboard.press("Escape");
  assert.equal(await page.inputValue("#scale"), "auto");
  assert.equal(await span(page), "10 s");
});

test("the plot is zoomed and panned with the keyboard and with buttons", async (t) => {
  const { page } = await ramp(t);
  await page.focus("#canvas");
  await page.keyboard.press("+");
  await until("a shorter span", async () => (await span(page)) === "6.7 s");
  await page.keyboard.press("-");
  await until("the span before", async () => (await page.isVisible("#live")) && (await span(page)) !== "6.7 s");
  await page.keyboard.press("Home");
  await until("the oldest", async () => (await samples(page, "#csv-shown"))[0][1] === "1");
  await page.focus("#canvas");
  await page.keyboard.press("End");
  assert.equal(await page.isVisible("#live"), false);
  await page.click("#zoom-in");
  await until("a shorter span", async () => (await span(page)) === "6.7 s");
  const before = await samples(page, "#csv-shown");
  await page.click("#older");
  await page.click("#zoom-out");
  assert.notDeepEqual(await samples(page, "#csv-shown"), before);
  await page.click("#live");
  assert.equal(await span(page), "10 s");
});

test("a scale can be locked and set, and each series can have its own", async (t) => {
  const { uno, page } = await ramp(t);
  await page.selectOption("#scale", "fixed");
  const locked = [await page.inputValue("#low"), await page.inputValue("#high")].map(Number);
  assert.ok(locked[0] < 1 && locked[1] > 40000 && locked[1] < 50000, String(locked));
  await page.fill("#low", "0");
  await page.fill("#high", "60");
  await uno.send("a:41 b:41000\n");
  await until("the curve of a", async () => (await curve(page)) > 20);
  await page.fill("#high", "-1");
  assert.equal(await page.locator("#high").evaluate((input) => input.validity.valid), false);
  await page.fill("#high", "1e308");
  assert.ok(await page.locator("#high").evaluate((input) => input.validity.valid));
  await page.selectOption("#scale", "own");
  assert.equal(await page.isVisible("#low"), false);
  await page.evaluate(() => {
    window.written = new Set();
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
      window.written.add(text);
      fillText.call(this, text, ...rest);
    };
  });
  await until("an axis in percent", () => page.evaluate(() => window.written.has("0 %") && window.written.has("100 %")));
});

test("a series is renamed and gets another colour, in the legend, the table and the files", async (t) => {
  const { page } = await ramp(t, 5);
  await page.click("#legend .edit");
  await page.fill("#series-name", "<b>Heat</b>");
  await page.check("#series-colours input[value='5']", { force: true });
  await page.keyboard.press("Enter");
  await until("the name", async () => (await text(page, "#legend .name")) === "<b>Heat</b>");
  assert.match(await page.locator("#legend .swatch").first().getAttribute("class"), /s6/);
  assert.match((await saved(page, "#csv-all")).bytes.toString(), /^time,<b>Heat<\/b>,b\r\n/);
  await page.click("#plot-table");
  await until("the table", async () => (await page.locator("#sample-table thead th").allTextContents()).join() === "Time,<b>Heat</b>,b");
  assert.equal((await page.locator("#sample-table tbody tr").count()), 5);
  await page.click("#legend .edit");
  await page.click("#series-own");
  await page.keyboard.press("Enter");
  await until("its own name", async () => (await text(page, "#legend .name")) === "a");
});

test("the legend has the lowest, the mean and the highest value of what is shown", async (t) => {
  const { page } = await ramp(t, 9);
  const cells = () => page.locator("#legend tbody tr").first().locator("td").allTextContents();
  await until("the statistics", async () => (await cells()).join() === "9,1,5,9");
  await page.locator("#legend tbody tr").nth(1).locator("td").allTextContents();
});

test("numbers of any size have a curve and an axis", async (t) => {
  const { uno, page } = await onBoard(t);
  for (const lines of [["1e308", "-1e308"], ["1.7976931348623157e308", "-1.7976931348623157e308"], ["1e-12", "2e-12"], ["-3e-300", "5e-300"], ["1e308", "1.1e308"]]) {
    await page.click("#plot-clear");
    for (let round = 0; round < 4; round++) {
      for (const line of lines) await uno.send(`${line}\n`);
      await sleep(50);
    }
    await until(`a curve of ${lines}`, async () => (await curve(page)) > 15);
    await page.selectOption("#scale", "own");
    await until(`a curve of ${lines} on a scale of its own`, async () => (await curve(page)) > 15);
    await page.selectOption("#scale", "auto");
  }
  await page.screenshot({ path: shot("largest-numbers") });
});

test("a picture of everything has the names of the series", async (t) => {
  const { page } = await ramp(t, 5);
  for (const button of ["#png-shown", "#png-all"]) {
    assert.equal((await saved(page, button)).bytes.subarray(1, 4).toString(), "PNG", button);
  }
});

test("a sent text reaches the board, and the page shows that it did", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.fill("#text", "H");
  await page.keyboard.press("Enter");
  await until("the board to receive it", () => uno.received === "H\n");
  await until("the tick", async () => (await rows(page)).some((row) => row.includes("H‹LF›✓")));
  await page.selectOption("#ending", { label: "none" });
  await page.keyboard.press("Tab");
  await page.fill("#text", "<b>");
  await page.click("#send button");
  await until("the board to receive it", () => uno.received === "H\n<b>");
  await page.focus("#text");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "H");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.inputValue("#text"), "<b>");
});

/** Pastes a text into the send box, as a person does. */
async function paste(page, text) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate((text) => navigator.clipboard.writeText(text), text);
  await page.focus("#text");
  await page.keyboard.press("ControlOrMeta+v");
}

/** Waits until the board has received exactly this, and forgets it. */
async function receives(uno, expected) {
  await until(JSON.stringify(expected), () => uno.received.length >= expected.length);
  assert.equal(uno.received, expected);
  uno.received = "";
}

test("each line of a pasted text reaches the board with its ending, in order", async (t) => {
  const { uno, page } = await onBoard(t);
  for (const [label, expected] of [
    ["newline", "G28\n\nG1 X10 F600\nG1 Y10\n"],
    ["CR + LF", "G28\r\n\r\nG1 X10 F600\r\nG1 Y10\r\n"],
    ["CR", "G28\r\rG1 X10 F600\rG1 Y10\r"],
  ]) {
    await page.selectOption("#ending", { label });
    for (const text of ["G28\n\nG1 X10 F600\nG1 Y10\n", "G28\r\n\r\nG1 X10 F600\r\nG1 Y10"]) {
      await paste(page, text);
      await page.keyboard.press("Enter");
      await receives(uno, expected);
    }
  }
  // Nothing is added, and nothing is taken away:
  await page.selectOption("#ending", { label: "none" });
  for (const text of ["one\n\ntwo", "one\n"]) {
    await paste(page, text);
    await page.click("#send button");
    await receives(uno, text);
  }
  const all = await rows(page);
  assert.ok(all.some((row) => row.includes("G1 X10 F600‹LF›✓")), all.join("\n"));
});

test("a port that adds a line ending adds it to each line of a pasted text", async (t) => {
  const { uno, page } = await onBoard(t, ["--append", "crlf"]);
  await paste(page, "AT\nATE0\n");
  await page.keyboard.press("Enter");
  await receives(uno, "AT\r\nATE0\r\n");
});

test("a long program is pasted and sent whole, and what is sent next comes after it", async (t) => {
  const { uno, page } = await onBoard(t);
  const program = Array.from({ length: 2000 }, (_, index) => `G1 X${index} ; é\n`).join("");
  await paste(page, program);
  await page.keyboard.press("Enter");
  await page.fill("#text", "M30");
  await page.keyboard.press("Enter");
  await receives(uno, Buffer.from(`${program}M30\n`).toString("latin1"));
});

test("lines after one that was not written are not sent", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  await paste(page, "one\ntwo\nthree\n");
  await page.keyboard.press("Enter");
  await until("the errors", async () => (await rows(page)).filter((row) => /not sent$/.test(row)).length === 2);
  assert.ok((await rows(page)).some((row) => /one‹LF›.*not open/.test(row)));
  await uno.plug();
  await isOpen(page);
  await page.fill("#text", "four");
  await page.keyboard.press("Enter");
  await receives(uno, "four\n");
});

test("the send box grows with its lines, and the arrow keys move in it before they recall", async (t) => {
  const { uno, page } = await onBoard(t);
  const height = () => page.locator("#text").evaluate((box) => box.offsetHeight);
  const low = await height();
  await page.fill("#text", "first");
  await page.keyboard.press("Enter");
  await receives(uno, "first\n");
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  const high = await height();
  assert.ok(high > low + 10, `${low} and ${high}`);
  assert.equal(await page.inputValue("#text"), "one\ntwo");
  await page.screenshot({ path: shot("send-two-lines") });
  // From the second line to the first, and only then to an earlier text and back:
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "one\ntwo");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "first");
  assert.equal(await height(), low);
  await page.fill("#text", "one\ntwo");
  await page.keyboard.press("Enter");
  await receives(uno, "one\ntwo\n");
  assert.equal(await height(), low);
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "one\ntwo");
  assert.equal(await height(), high);
  // However long the text is, the page stays usable:
  await page.fill("#text", "line\n".repeat(200));
  assert.ok(await height() < 200);
});

test("an unplugged board is shown as lost, with a hint, and comes back", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  assert.match(await text(page, "#state-text"), /lost/);
  assert.match(await text(page, "#remedy"), /Plug it in again/);
  await page.fill("#text", "H");
  await page.keyboard.press("Enter");
  await until("the error", async () => (await rows(page)).some((row) => /H‹LF›.*not open/.test(row)));
  await uno.plug();
  await isOpen(page);
  await uno.send("again\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("again")));
  assert.equal(await page.locator("#notice").isVisible(), false);
  assert.ok((await rows(page)).some((row) => /was lost/.test(row)), "the log has a note");
  assert.equal(uno.received, "", "nothing is written later");
});

test("the page says when serial-ws has stopped, and resumes when it is back", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await uno.send("\nbefore\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("before")));
  await bridge.stop();
  await until("the message", async () => (await state(page)) === "stopped");
  assert.match(await text(page, "#detail"), /does not answer/);
  assert.match(await text(page, "#remedy"), /running/);
  await start(t, ["--port", `uno=${uno.path}`], bridge.port);
  await isOpen(page);
  await uno.send("\nafter\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("after")));
  assert.ok((await rows(page)).some((row) => /has restarted/.test(row)), "another run is a gap");
  assert.equal(await page.isVisible("#missed-figure"), false, "nothing was missed");
});

test("a broken connection resumes exactly where it was", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const link = await proxy(t, bridge.port);
  const page = await open(t, link.url);
  await isOpen(page);
  await uno.send("\n1\n2\n");
  await until("lines", async () => (await rows(page)).at(-1)?.endsWith("2"));
  link.cut();
  await until("the break", async () => (await state(page)) === "stopped");
  await uno.send("3\n4\n");
  link.restore();
  await isOpen(page);
  await uno.send("5\n");
  await until("lines", async () => (await rows(page)).at(-1)?.endsWith("5"));
  const lines = (await page.locator("#rows .line > span").allTextContents()).slice(-5);
  assert.deepEqual(lines, ["1", "2", "3", "4", "5"]);
  assert.equal(await page.locator("#missed-figure").isVisible(), false);
});

test("the page works behind a proxy that adds a prefix to its paths", async (t) => {
  const bridge = await start(t, ["--port", "a=sim", "--port", "b=sim:labels"]);
  const lab = await proxy(t, bridge.port, "/lab");
  for (const path of ["/lab/?port=b", "/lab/_serial-ws/?port=b"]) {
    const page = await open(t, lab.url + path);
    await until("its lines", async () => (await rows(page)).at(-1)?.includes("temperature:"));
    assert.equal(await text(page, "#address"), `${lab.url.replace("http", "ws")}/lab/ports/b`);
  }
});

test("after a reload the page is as it was, with all the lines that serial-ws has kept", async (t) => {
  const { uno, page, bridge } = await onBoard(t, ["--port", "other=sim"]);
  for (let index = 0; index < 20; index++) await uno.send(Array.from({ length: 50 }, (_, line) => `light:${index * 50 + line} dark:1\n`).join(""));
  await until("the newest value", async () => (await text(page, "#legend .value")) === "999");
  await page.selectOption("#span", "60");
  await page.selectOption("#ending", { label: "CR" });
  await page.check("#times");
  await page.click("#legend .edit");
  await page.fill("#series-name", "Lamp");
  await page.check("#series-colours input[value='2']", { force: true });
  await page.keyboard.press("Enter");
  await page.click("#legend tbody tr:last-child .show");
  await page.selectOption("#scale", "fixed");
  await page.fill("#high", "2000");
  await page.reload();
  await until("the newest value", async () => (await text(page, "#legend .value")) === "999");
  assert.equal((await samples(page, "#csv-all")).length, 1000);
  assert.equal(await text(page, "#legend .name"), "Lamp");
  assert.match(await page.locator("#legend .swatch").first().getAttribute("class"), /s3/);
  const show = page.locator("#legend tbody tr").last().locator(".show");
  await until("the last series to be hidden", async () => (await show.getAttribute("aria-pressed")) === "false");
  assert.deepEqual(
    await page.evaluate(() => ["span", "ending", "scale", "high"].map((id) => document.getElementById(id).value)),
    ["60", "\r", "fixed", "2000"],
  );
  assert.ok(await page.isChecked("#times"));
  // Another port has its own, and the view of bytes is remembered as well:
  await page.selectOption("#port", "other");
  await until("its series", async () => (await page.locator("#legend tbody tr").count()) === 3);
  assert.equal(await page.inputValue("#span"), "10");
  await page.selectOption("#view", "hex");
  await page.goto(`${bridge.url}/?port=other`);
  await until("the hex view", async () => (await page.inputValue("#view")) === "hex" && (await page.locator("#rows.hex .row").count()) > 0);
});

test("what was missed is counted, and can be dismissed", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, "--history", "16KiB"]);
  const link = await proxy(t, bridge.port);
  const page = await open(t, link.url);
  await isOpen(page);
  await uno.send("\n1\n");
  await until("a line", async () => (await rows(page)).at(-1)?.endsWith("1"));
  link.cut();
  await until("the break", async () => (await state(page)) === "stopped");
  for (let round = 0; round < 10; round++) await uno.send("2\n".repeat(200));
  await uno.send("end\n");
  link.restore();
  await until("the end", async () => (await rows(page)).some((row) => row.endsWith("end")));
  assert.match(await text(page, "#missed"), /^1,\d{3}$/);
  for (const width of [1024, 1280, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    const { height } = await page.locator("header").boundingBox();
    assert.ok(height < 40, `at ${width} the header is ${height} pixels high`);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(excess <= 0, `at ${width} the page is ${excess} pixels too wide`);
  }
  await page.click("#missed-dismiss");
  assert.equal(await page.isVisible("#missed-figure"), false);
});

test("the page can receive only the newest lines, and then all of them again without duplicates", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await page.click("#filter summary");
  await page.selectOption("#latest", "5");
  await until("the rate", async () => /^[456] lines\/s shown$/.test(await text(page, "#rate")));
  await page.selectOption("#latest", "");
  await until("the rate", async () => /^[45]\d lines\/s$/.test(await text(page, "#rate")));
  await page.check("#times");
  const lines = (await saved(page, "#download")).bytes.toString().trim().split("\n");
  assert.equal(new Set(lines).size, lines.length, "no line arrives twice");
  assert.deepEqual(lines.filter((line) => / # /.test(line)).map((line) => line.slice(13)), ["# sim is open (simulated)"]);
});

test("the text view plots only numbers that were sent", async (t) => {
  const { uno, page } = await onBoard(t);
  // The last 2000 bytes start within a line.
  await uno.send(`${"1000\n".repeat(500)}ok\n`);
  await until("all lines", async () => (await rows(page)).at(-1)?.endsWith("ok"));
  await page.selectOption("#view", "text");
  await until("the newest of them", async () => (await rows(page)).at(-1)?.endsWith("ok"));
  await uno.send("10");
  await until("the unfinished line", async () => (await rows(page)).at(-1)?.endsWith("10"));
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  await uno.plug();
  await isOpen(page);
  await uno.send("2\n1002\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "1002");
  const csv = (await saved(page, "#csv-all")).bytes.toString();
  assert.deepEqual([...new Set(csv.match(/(?<=\d,).+(?=\r)/g))], ["1000", "2", "1002"]);
});

test("the port is released and resumed", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.click("#lend summary");
  assert.match(await text(page, "#recipes code"), /^serial-ws upload --url http:\/\/localhost:\d+ -- arduino-cli upload -p \/tmp\/.*board -b FQBN SKETCH$/);
  await page.click("#release");
  await until("released", async () => (await state(page)) === "released");
  assert.match(await text(page, "#detail"), /released to another program/i);
  await page.reload();
  await until("released", async () => (await state(page)) === "released");
  assert.match(await text(page, "#detail"), /released to another program/i);
  await page.click("#resume");
  await isOpen(page);
  await uno.send("\nback\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("back")));
});

test("each state says what it means, and a missing board what to do", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, "--port", "gone=/dev/serial-ws-none", "--port", "demo=sim"]);
  const page = await open(t, `${bridge.url}/?port=gone`);
  await until("waiting", async () => (await state(page)) === "waiting");
  assert.match(await text(page, "#meaning"), /opens it as soon as it is there/);
  await page.reload();
  await until("waiting", async () => (await state(page)) === "waiting");
  assert.ok(await page.isVisible("#steps"));
  assert.equal(await page.locator("#baud option:checked").textContent(), "auto");
  await until("the offer", () => page.isVisible("#sim-link"));
  await page.screenshot({ path: shot("no-board") });
  await page.click("#sim-link");
  await isOpen(page);
  await until("a plot", async () => (await page.locator("#legend tbody tr").count()) === 3);
  assert.equal(await page.isVisible("#notice"), false);
  assert.equal(await page.isVisible("#reset"), false, "a simulated board has no lines for a reset");
  await page.selectOption("#port", "uno");
  await isOpen(page);
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  assert.match(await text(page, "#meaning"), /opens it again as soon as it is back/);
  await page.reload();
  await until("lost", async () => (await state(page)) === "lost");
  assert.match(await text(page, "#meaning"), /opens it again as soon as it is back/);
  assert.match(await text(page, "#remedy"), /Plug it in again/);
});

test("the view that serial-ws advises is a button", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  for (let index = 0; index < 3; index++) await uno.send(Buffer.alloc(200, 7));
  await until("the advice", () => page.isVisible("#advice"));
  assert.equal(await text(page, "#advice"), "Show as hex");
  await page.click("#advice");
  await until("the view", async () => (await page.locator("#rows.hex .row").allTextContents()).some((row) => row.includes("07 07 07")));
  assert.equal(await page.isVisible("#advice"), false);
});

test("the rate that serial-ws advises is a button, unless a flag fixes it", async (t) => {
  // At 9600 baud, a board that sends at 57600 is garbage, which is only searched where nobody chose the rate.
  const bridge = await start(t, ["--port", "sim:uart:57600", "--baud", "9600"]);
  const page = await open(t, bridge.url);
  await until("the advice", async () => /^It is fixed to 9600 by --baud\. Start serial-ws with --baud \d+, or take the board/.test(await text(page, "#advice-text")));
  assert.equal(await page.isVisible("#advice"), false);
  await page.click("#settings summary");
  await page.click("#take");
  await until("the button", () => page.isVisible("#advice"));
  const rate = Number((await text(page, "#advice")).match(/^Set (\d+) baud$/)[1]);
  await page.click("#advice");
  await until("the rate", async () => (await bridge.settings()).baud === rate);
  assert.equal(await page.isVisible("#advice"), false);
  assert.equal(await text(page, "#advice-text"), "");
});

test("the devices are not watched while the page is hidden", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await (await tabs(t)).newPage();
  await page.goto(bridge.url);
  const watchers = async () => (await (await fetch(`${bridge.url}/api/clients`)).json()).filter(({ view }) => view === "devices").length;
  await until("the page to watch", async () => (await watchers()) === 1);
  await hide(page, () => until("nobody to watch", async () => (await watchers()) === 0));
  await until("the page to watch again", async () => (await watchers()) === 1);
});

test("the menu of ports follows the devices of the computer, with the reason where one cannot be opened", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t);
  // The list is the test's own, since computers have other devices.
  let show;
  await page.routeWebSocket(/\/devices$/, (socket) => {
    show = (devices) => socket.send(JSON.stringify({ type: "devices", devices }));
    show([]);
  });
  const device = (id, more) => ({ id, path: `/dev/${id}`, usb: { vid: 1, pid: 2 }, board: null, state: "free", offered: true, at: null, ...more });
  await page.goto(bridge.url);
  await isOpen(page);
  assert.equal(await page.isVisible("#port"), false, "one port needs no menu");
  show([
    device("a", { board: "Arduino Uno" }),
    device("b", { board: "<b>Pico</b>", state: "busy" }),
    device("c", { usb: { product: "u-blox 7" }, offered: false, hint: "to offer it: --offer c" }),
    device("d", { state: "denied" }),
  ]);
  await until("the menu", () => page.isVisible("#port"));
  const options = () => page.locator("#port option").evaluateAll((all) => all.map(({ text, disabled }) => [text, disabled]));
  assert.deepEqual(await options(), [
    ["sim", false], ["Arduino Uno · /dev/a", false], ["<b>Pico</b> · /dev/b (in use by another program)", false],
    ["u-blox 7 · /dev/c (not on offer)", true], ["/dev/d (no permission)", false],
  ]);
  await page.screenshot({ path: shot("devices") });
  show([device("e", { board: "ESP32", state: "open", port: "sim" })]);
  await until("the board of the port", async () => (await page.isVisible("#port")) === false);
  assert.deepEqual(await options(), [["sim · ESP32", false]]);
});

test("a device that is not here is waited for, with what the computer sees", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t);
  await page.routeWebSocket(/\/devices$/, (socket) => {
    socket.send(JSON.stringify({ type: "devices", devices: [
      { id: "x", path: "/dev/x", usb: null, board: null, state: "free", offered: false, at: null, hint: "to offer it: --offer x" },
    ] }));
  });
  await page.goto(`${bridge.url}/?device=usb:ffff:ffff`);
  await until("waiting", async () => (await state(page)) === "waiting");
  await until("what is seen", async () => (await text(page, "#seen")).includes("/dev/x (to offer it: --offer x)"));
  await page.click("#sim-link");
  await isOpen(page);
});

test("the operator sees who is connected, and can disconnect one", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await page.evaluate(() => new Promise((resolve) => {
    window.guest = new WebSocket(`${location.origin.replace("http", "ws")}/?view=values`);
    window.guest.onmessage = resolve;
    window.guest.onclose = ({ code }) => { window.guestClosed = code; };
  }));
  await page.click("#share summary");
  const guest = page.locator("#clients li", { hasText: "· values ·" });
  await until("the guest", async () => (await guest.count()) === 1);
  assert.match(await guest.textContent(), /127\.0\.0\.1.* · sim · values · since \d\d:\d\d:\d\d/);
  assert.match(await page.getAttribute("#share a", "href"), /_serial-ws\/share$/);
  await until("the whole menu to be in the window", async () => {
    const { x, width } = await page.locator("#share > div").boundingBox();
    return x >= 0 && x + width <= page.viewportSize().width;
  });
  await guest.getByRole("button", { name: "Disconnect" }).click();
  await until("the end", async () => (await page.evaluate(() => window.guestClosed)) === 4410);
  await until("the list without it", async () => (await guest.count()) === 0);
  // Now the page itself, which stays away.
  await page.locator("#clients li").getByRole("button", { name: "Disconnect" }).click();
  await until("the end of this page", async () => (await state(page)) === "disconnected");
  assert.match(await text(page, "#state-text"), /^disconnected$/);
  assert.ok(await page.isHidden("#first"), "the address of the page is right");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await until("an empty list", async () => (await page.locator("#clients li").count()) === 0);
  assert.equal(await state(page), "disconnected");
  await page.reload();
  await isOpen(page);
});

test("read-only disables the controls that would change anything", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--read-only"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await until("lines", async () => (await rows(page)).length > 0);
  for (const button of ["#reset", "#release", "#text"]) assert.ok(await page.isDisabled(button), button);
});

test("the data of a hostile device is shown as text", async (t) => {
  const { uno, page } = await onBoard(t);
  const hostile = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>:5",
    '{"<img src=x onerror=window.hacked=1>":5}',
    "\x1b[31mred\x1b[0m\x07\x08",
    "\u202egnitirw",
    "{\"__proto__\":1,\"constructor\":2}",
    "x".repeat(16000),
  ];
  for (const line of hostile) await uno.send(`${line}\n`);
  await uno.send(Buffer.from([0xff, 0xfe, 0x80, 0x41, 0x0a]));
  await uno.send("end\n");
  await until("the end", async () => (await rows(page)).at(-1)?.endsWith("end"));
  const shown = (await rows(page)).join("\n");
  assert.ok(shown.includes("<script>window.hacked = 1</script>"), shown.slice(0, 500));
  assert.ok(shown.includes("red‹BEL›‹BS›"));
  assert.equal(await page.locator("#rows .fg1").textContent(), "red");
  assert.ok(shown.includes("‹U+202E›gnitirw"));
  assert.ok(shown.includes("��") && shown.includes("A"));
  assert.match(shown, /more characters/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator("#rows script, #rows img, #legend img").count(), 0);
  await page.fill("#search", "<SCRIPT");
  await until("the search", async () => (await page.locator("#rows .hit").count()) === 1);
  assert.equal(await page.locator("#rows mark").textContent(), "<script");
  assert.equal(await text(page, "#found"), "1 found");
  await until("the announcement for screen readers", async () => (await text(page, "#announced")) === "1 found");
});

test("a search goes from line to line, and a filter shows only some", async (t) => {
  const { uno, page } = await onBoard(t);
  for (let index = 0; index < 60; index++) await uno.send(`${index % 10 === 0 ? "ERROR" : "info"} ${index}\n`);
  await uno.send("end\n");
  await until("the end", async () => (await rows(page)).at(-1)?.endsWith("end"));
  await page.focus("#rows");
  await page.keyboard.press("/");
  await page.keyboard.type("error");
  await until("the number", async () => (await text(page, "#found")) === "6 found");
  const current = () => page.locator("#rows .current > span").first().textContent();
  for (const [key, line, place] of [["Enter", "ERROR 50", "6 of 6"], ["Shift+Enter", "ERROR 40", "5 of 6"], ["Enter", "ERROR 50", "6 of 6"], ["Enter", "ERROR 0", "1 of 6"]]) {
    await page.keyboard.press(key);
    assert.equal(await current(), line);
    assert.equal(await text(page, "#found"), place);
  }
  await page.click("#previous");
  assert.equal(await current(), "ERROR 50");
  assert.ok(await page.locator("#rows .current").isVisible());
  await page.fill("#search", "");
  await page.click("#newest");
  await page.click("#filter summary");
  await page.fill("#only", "error");
  await page.fill("#without", "20");
  const shown = async () => (await page.locator("#rows .line > span").allTextContents()).join();
  await until("the filter", async () => (await shown()) === "ERROR 0,ERROR 10,ERROR 30,ERROR 40,ERROR 50");
  const file = (await saved(page, "#download")).bytes.toString();
  assert.match(file, /ERROR 0\nERROR 10\nERROR 30\nERROR 40\nERROR 50\n$/);
  await page.keyboard.press("Escape");
});

test("texts that were sent are in a menu, and can be kept as buttons", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.focus("#rows");
  await page.keyboard.press("i");
  for (const command of ["G28", "M105"]) {
    await page.keyboard.type(command);
    await page.keyboard.press("Enter");
    await receives(uno, `${command}\n`);
  }
  await page.click("#sent summary");
  // The browser tells the page of the opened menu a little later, which fills it then.
  const sent = () => page.locator("#sent-list .take").allTextContents();
  await until("the texts in the menu", async () => (await sent()).join() === "M105,G28");
  await page.locator("#sent-list .take").last().click();
  assert.equal(await page.inputValue("#text"), "G28");
  await page.keyboard.press("Enter");
  await receives(uno, "G28\n");
  await page.click("#sent summary");
  await page.locator("#sent-list .keep").last().click();
  await page.keyboard.press("Escape");
  await page.click("#commands .command");
  await receives(uno, "M105\n");
  await page.reload();
  await page.click("#commands .command");
  await receives(uno, "M105\n");
  await page.click("#sent summary");
  await page.locator("#sent-list .keep").first().click();
  assert.equal(await page.locator("#commands .command").count(), 0);
});

test("what other clients write is shown, with who wrote it", async (t) => {
  const { uno, page, bridge } = await onBoard(t);
  const other = await open(t, bridge.url);
  await isOpen(other);
  await other.fill("#text", "G28");
  await other.keyboard.press("Enter");
  await receives(uno, "G28\n");
  await until("it", async () => (await page.locator("#rows .other").allTextContents()).some((row) => /G28‹LF›client \d+ \(page at 127\.0\.0\.1:\d+\)$/.test(row)));
  assert.equal(await other.locator("#rows .other").count(), 0);
  assert.equal(await other.locator("#rows .sent").count(), 1);
});

test("a port whose view is raw opens in hex, which fits", async (t) => {
  const bridge = await start(t, ["--port", "raw=sim:raw", "--raw"]);
  for (const width of [390, 1024, 1280, 1920]) {
    const page = await open(t, bridge.url, { viewport: { width, height: 800 } });
    await until("bytes", async () => (await page.locator("#rows.hex .row.line").count()) > 3);
    const excess = await page.locator("#rows").evaluate((rows) => rows.scrollWidth - rows.clientWidth);
    assert.ok(excess <= 0, `at ${width} the rows are ${excess} pixels too wide`);
    const bytes = (await page.locator("#rows .row.line > span").first().textContent()).match(/ [0-9a-f]{2}(?= )/g).length;
    assert.equal(bytes, width === 1920 ? 16 : 8);
  }
});

test("lines are copied where the browser has no clipboard for the page", async (t) => {
  const { page } = await onBoard(t);
  await page.evaluate(() => {
    Object.defineProperty(navigator, "clipboard", { value: undefined });
    document.addEventListener("copy", () => { window.copied = document.getSelection().toString() || document.activeElement.value; });
  });
  await page.click("#copy");
  await until("the result", async () => (await text(page, "#copy")) === "Copied");
  assert.match(await page.evaluate(() => window.copied), /ready\n$/);
});

test("the theme is that of the system unless people choose another, which is remembered", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url, { colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const [dark, light] = ["rgb(13, 17, 23)", "rgb(243, 245, 248)"];
  await until("the dark theme", async () => (await ground()) === dark);
  await page.selectOption("#theme", "light");
  assert.equal(await ground(), light);
  await page.reload();
  assert.equal(await ground(), light);
  assert.equal(await page.inputValue("#theme"), "light");
  await page.selectOption("#theme", "system");
  assert.equal(await ground(), dark);
});

test("text without line endings is shown, and so are bytes", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.selectOption("#view", "text");
  await isOpen(page);
  await sleep(200);
  await uno.send("name? ");
  await until("the question", async () => (await rows(page)).at(-1)?.endsWith("name? "));
  await uno.send("and more\nnext");
  await until("the rest", async () => (await rows(page)).slice(-2).join("|").includes("name? and more|") && (await rows(page)).at(-1)?.endsWith("next"));
  await page.selectOption("#view", "hex");
  await sleep(300);
  await uno.send(Buffer.from([0, 255, 65]));
  await until("bytes", async () => (await rows(page)).join("\n").includes("00 ff 41"));
  assert.ok((await text(page, "#legend")).includes("byte"));
});

test("the page gives a hint about a silent board until it sends something", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await until("the hint", () => page.isVisible("#silence"));
  assert.match(await text(page, "#silence"), /println/);
  await page.screenshot({ path: shot("silence") });
  await uno.send("\nready\n");
  await until("the first line", async () => (await rows(page)).at(-1)?.endsWith("ready"));
  assert.equal(await page.isVisible("#silence"), false);
});

test("the page says that bytes came without a line end, with the hint of serial-ws", async (t) => {
  const scanner = await board(t);
  const bridge = await start(t, ["--port", `scanner=${scanner.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await scanner.send("Router> ");
  await until("the explanation", () => page.isVisible("#silence"));
  assert.match(await text(page, "#silence"), /^The board has sent 8 bytes, but no line has ended yet/);
  await scanner.send("4006381333931\r");
  await until("the hint", async () => /use --frame cr\.$/.test(await text(page, "#remedy")));
  assert.match(await text(page, "#silence"), /no line has ended yet/);
});

test("one of several ports can be chosen, and stays chosen", async (t) => {
  const bridge = await start(t, ["--port", "a=sim", "--port", "b=sim:labels"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await page.selectOption("#port", "b");
  await until("its lines", async () => (await rows(page)).at(-1)?.includes("temperature:"));
  await until("its series", async () => (await text(page, "#legend")).includes("humidity"));
  await page.reload();
  await until("its lines", async () => (await rows(page)).at(-1)?.includes("temperature:"));
  assert.equal(await page.inputValue("#port"), "b");
});

test("for a port that does not exist, a link leads to the first one", async (t) => {
  const bridge = await start(t, ["--port", "a=sim", "--port", "b=sim:labels"]);
  const page = await open(t, `${bridge.url}/?port=none`);
  await until("the mistake", async () => (await state(page)) === "mistake");
  assert.match(await text(page, "#detail"), /ports\/a/);
  assert.equal(await text(page, "#address"), bridge.url.replace("http", "ws"));
  await page.screenshot({ path: shot("no-such-port") });
  await page.click("#first a");
  await isOpen(page);
  assert.equal(await page.inputValue("#port"), "a");
  assert.equal(await page.isVisible("#first"), false);
});

test("the kept samples and lines can be saved", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.send("a:1\nb:2\n");
  await until("two series", async () => (await page.locator("#legend tbody tr").count()) === 2);
  const csv = await saved(page, "#csv-all");
  assert.match(csv.name, /^uno-.*\.csv$/);
  assert.match(csv.bytes.toString(), /^time,a,b\r\n\d+\.\d{6},1,\r\n\d+\.\d{6},,2\r\n$/);
  const png = await saved(page, "#png-shown");
  assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
  await page.check("#times");
  const txt = await saved(page, "#download");
  assert.match(txt.bytes.toString(), /\d\d:\d\d:\d\d\.\d{3} ready\n/);
});

const looks = {
  "desktop-light": { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  "desktop-dark": { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  "phone-dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark", deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

for (const [name, look] of Object.entries(looks)) {
  test(`no accessibility problem: ${name}`, async (t) => {
    const bridge = await start(t, ["--port", "plant=sim:labels", "--port", "uno=sim", "--baud", "9600"]);
    // bypassCSP allows axe to be added to the page, which allows only its own scripts.
    const page = await open(t, bridge.url, { ...look, bypassCSP: true });
    await until("three series", async () => (await page.locator("#legend tbody tr").count()) === 3);
    await page.addScriptTag({ path: join(root, "tests/browser/node_modules/axe-core/axe.min.js") });
    const check = async () => {
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);
    };
    await check();
    await page.click("#settings summary");
    await until("the whole menu to be in the window", async () => {
      const { x, width } = await page.locator("#settings > div").boundingBox();
      return x >= 0 && x + width <= page.viewportSize().width;
    });
    await check();
    await page.screenshot({ path: shot(`${name}-more`) });
    await page.click("#take");
    await until("the board", () => page.isVisible("#give-back"));
    await check();
    await page.screenshot({ path: shot(`${name}-own`) });
    await page.click("#give-back");
    await until("the board to be free", async () => !(await page.isVisible("#lock")));
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(excess <= 0, `the page is ${excess} pixels too wide`);
    const heights = await page.locator("#plotter > .bar > button").evaluateAll((buttons) => buttons.map((button) => button.offsetTop));
    assert.equal(new Set(heights).size, 1, "the buttons of the plot are in one row");
    await page.fill("#text", "G28\nG1 X10 F600\nG1 Y10");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `with three lines to send, the page is ${wide} pixels too wide`);
    await page.screenshot({ path: shot(name), fullPage: name.startsWith("phone") });
  });
}

test("outputs are listed under More, and one that does not work says why until it does", async (t) => {
  // A broker that accepts everybody (MQTT 3.1.1, §3.2).
  const broker = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(Buffer.from([0x20, 2, 0, 0])));
    socket.resume();
  });
  const listen = (port) => new Promise((resolve) => broker.listen(port, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => broker.close(resolve));
  await listen(0);
  const { port } = broker.address();
  await close();
  const bridge = await start(t, ["--port", "sim", "--mqtt", `mqtt://127.0.0.1:${port}/lab`, "--osc", "127.0.0.1:9"]);
  const page = await open(t, bridge.url, { viewport: { width: 390, height: 844 } });
  await isOpen(page);
  const outputs = () => page.locator("#output-list li").allTextContents();
  const isMarked = () => page.locator("#settings").evaluate((menu) => menu.classList.contains("trouble"));
  await until("the mark on the menu", isMarked);
  assert.match(await page.locator("#settings-button").getAttribute("title"), /^MQTT mqtt:.*nothing listens there/);
  await page.click("#settings-button");
  await until("the reason", async () => (await outputs()).some((text) => /^MQTT mqtt:\/\/127\.0\.0\.1:\d+\/lab.*does not work: nothing listens there/.test(text)));
  const sent = async () => Number((await outputs()).find((text) => text.startsWith("OSC 127.0.0.1:9works"))?.match(/· (\d+) B sent|$/)[1]);
  const before = await sent();
  await until("the numbers to grow", async () => (await sent()) > before || (await outputs()).some((text) => /KB sent/.test(text)));
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
  await page.locator("#outputs").scrollIntoViewIfNeeded();
  await page.screenshot({ path: shot("outputs-narrow") });
  await listen(port);
  t.after(close);
  await until("the broker", async () => (await outputs()).some((text) => /^MQTT .*works/.test(text)));
  assert.equal(await isMarked(), false);
  await bridge.stop();
});

test("the monitor and the list of clients show the name that an agent gives itself, in quotes", async (t) => {
  const bridge = await start(t, ["--port", "loop"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  const other = await open(t, bridge.url);
  await other.evaluate(async (url) => {
    const agent = new WebSocket(`${url.replace("http", "ws")}/?view=json&client=claude-code`);
    await new Promise((resolve, reject) => {
      agent.addEventListener("open", resolve);
      agent.addEventListener("close", reject);
    });
    agent.send(JSON.stringify({ type: "write", text: "hello from the agent\n" }));
  }, bridge.url);
  await until("what it wrote", async () => (await page.locator("#rows .row.other").allTextContents()).some((row) => /hello from the agent.*“claude-code”/s.test(row)));
  await page.click("#share > summary");
  await until("its name", async () => (await page.locator("#clients strong").allTextContents()).some((name) => name.includes("“claude-code”")));
});
