// The built-in page in a real browser, through the real program.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { board, cable, open, pixels, quit, root, sleep, start, until } from "./support.mjs";

after(quit);

const rows = (page) => page.locator("#rows .row").allTextContents();
const state = (page) => page.locator("#state").getAttribute("data-state");
const text = (page, selector) => page.locator(selector).first().textContent();
const isOpen = (page) => until("the port to be open", async () => (await state(page)) === "open");

/** Where a picture of the page goes, for people to look at. */
function shot(name) {
  const folder = join(root, "target/browser");
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** How many pixels of the plot have the colour of the first series. */
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

/** What a button gives as a file. */
async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** A page on a board that has said its first, partial line. */
async function onBoard(t, args = []) {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`, ...args]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await uno.say("\nready\n");
  await until("the first line", async () => (await rows(page)).some((row) => row.endsWith("ready")));
  return { uno, bridge, page };
}

test("lines are shown and a plot moves without anyone doing anything", async (t) => {
  const page = await open(t);
  const before = Date.now();
  const bridge = await start(t, ["--port", "sim"]);
  await page.goto(bridge.url);
  await until("lines", async () => (await rows(page)).some((row) => /\d+,\d+,[01]$/.test(row)));
  await until("three series", async () => (await page.locator("#legend button").count()) === 3);
  const first = await pixels(page, "#canvas");
  await until("the plot to move", async () => (await pixels(page, "#canvas")).sum !== first.sum);
  t.diagnostic(`a moving plot ${Date.now() - before} ms after the command`);
  assert.ok(first.drawn > 300, JSON.stringify(first));
  const value = await text(page, "#legend button");
  await until("the legend to follow", async () => (await text(page, "#legend button")) !== value);
  await until("the rate", async () => /^[45]\d lines\/s$/.test(await text(page, "#rate")));
  assert.match(await text(page, "#delay"), /^\d+ ms$/);
  assert.equal(await page.locator("#missed-figure").isVisible(), false);
});

test("pause holds the plot and the monitor, and both go on", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await until("three series", async () => (await page.locator("#legend button").count()) === 3);
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
  await until("both to go on", async () => (await pixels(page, "#canvas")).sum !== still.sum && (await rows(page)).at(-1) !== shown.at(-1));
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "false");
});

test("a plot that is held stays, with its values and its table, whatever comes", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.say("a:1\n");
  await sleep(100);
  await uno.say("a:2\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "2");
  await page.click("#plot-pause");
  const table = (await saved(page, "#plot-csv")).bytes.toString();
  assert.equal(table.trim().split("\r\n").length, 3);
  const still = await pixels(page, "#canvas");
  await page.selectOption("#span", "60");
  await until("a longer time", async () => (await pixels(page, "#canvas")).sum !== still.sum);
  const longer = await pixels(page, "#canvas");
  // More than is kept, of what comes.
  for (let count = 0; count < 33; count++) await uno.say("a:5\n".repeat(1000));
  await uno.say("end\n");
  await until("the end", async () => (await rows(page)).at(-1)?.endsWith("end"));
  assert.deepEqual(await pixels(page, "#canvas"), longer);
  await page.selectOption("#span", "10");
  await until("the same picture", async () => (await pixels(page, "#canvas")).sum === still.sum);
  assert.equal(await text(page, "#legend .value"), "2");
  assert.equal((await saved(page, "#plot-csv")).bytes.toString(), table);
  await page.click("#plot-clear");
  await until("the plot to be empty", () => page.isVisible("#plot-empty"));
  assert.equal(await page.getAttribute("#plot-pause", "aria-pressed"), "false");
});

for (const seconds of [30, -30]) {
  test(`the plot moves though the bridge's clock is ${-seconds} s off, as through a tunnel`, async (t) => {
    const bridge = await start(t, ["--port", "sim"]);
    const page = await open(t);
    await page.addInitScript((seconds) => {
      const { now } = Date;
      Date.now = () => now() + seconds * 1000;
    }, seconds);
    await page.goto(bridge.url);
    await until("three series", async () => (await page.locator("#legend button").count()) === 3);
    await until("a plot", async () => (await curve(page)) > 50);
    const { sum } = await pixels(page, "#canvas");
    await until("it to move", async () => (await pixels(page, "#canvas")).sum !== sum);
    await until("the delay", async () => /^\d+ ms$/.test(await text(page, "#delay")));
  });
}

test("the values under the pointer and at the arrow keys", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.say("a:1\n");
  await sleep(300);
  await uno.say("a:500\n");
  await until("the newest value", async () => (await text(page, "#legend .value")) === "500");
  await page.focus("#canvas");
  await page.keyboard.press("ArrowLeft");
  await until("the value before", async () => (await text(page, "#legend .value")) === "1");
  await page.keyboard.press("Escape");
  await until("the newest value", async () => (await text(page, "#legend .value")) === "500");
  const box = await page.locator("#canvas").boundingBox();
  await page.mouse.move(box.x + 70, box.y + 50);
  await until("the oldest value", async () => (await text(page, "#legend .value")) === "1");
  await page.click("#legend button");
  assert.equal(await page.getAttribute("#legend button", "aria-pressed"), "false");
});

test("the values go on under a pointer that rests, and when the sample of the keys has left the picture", async (t) => {
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
  assert.equal(await value(), chosen, "it stays on the sample as long as that is there");
  await until("another value", async () => (await value()) !== chosen);
});

test("of more series than there is room for, it is said how many more there are", async (t) => {
  const { uno, page } = await onBoard(t);
  const forty = (line) => Array.from({ length: 40 }, (_, index) => Math.round(100 * Math.sin(line / 9 + index))).join();
  for (let line = 0; line < 30; line++) {
    await uno.say(`${forty(line)}\n`);
    await sleep(30);
  }
  await until("what has no room", async () => (await text(page, "#more")) === "and 24 more");
  assert.equal(await page.locator("#legend button").count(), 16);
  await page.setViewportSize({ width: 1280, height: 480 });
  await sleep(200);
  await page.screenshot({ path: shot("forty-series") });
  const { height } = await page.locator("#canvas").boundingBox();
  assert.ok(height > 150, `the plot is ${height} pixels high`);
});

test("large numbers can be read, at the axis and in the legend", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.evaluate(() => {
    window.written = new Map();
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      if (this.textAlign === "right") window.written.set(text, x - this.measureText(text).width);
      fillText.call(this, text, x, y);
    };
  });
  await uno.say("12345678901\n12345678930\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "12345678930");
  // The scale may have begun with the first number alone, and then shrinks slowly.
  const written = await until("an axis from the one to the other", async () => {
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

test("what is sent reaches the board, and the page shows that it did", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.fill("#text", "H");
  await page.keyboard.press("Enter");
  await until("the board to hear", () => uno.heard === "H\n");
  await until("the tick", async () => (await rows(page)).some((row) => row.includes("H‹LF›✓")));
  await page.selectOption("#ending", { label: "no line ending" });
  await page.keyboard.press("Tab");
  await page.fill("#text", "<b>");
  await page.click("#send button");
  await until("the board to hear", () => uno.heard === "H\n<b>");
  await page.focus("#text");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "H");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.inputValue("#text"), "<b>");
});

test("a board that is unplugged is shown as lost, with what to do, and comes back", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  assert.match(await text(page, "#state-text"), /lost/);
  assert.match(await text(page, "#remedy"), /Plug it in again/);
  await page.fill("#text", "H");
  await page.keyboard.press("Enter");
  await until("the refusal", async () => (await rows(page)).some((row) => /H‹LF›.*not open/.test(row)));
  await uno.plug();
  await isOpen(page);
  await uno.say("again\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("again")));
  assert.equal(await page.locator("#remedy").isVisible(), false);
  assert.ok((await rows(page)).some((row) => /was lost/.test(row)), "the log has a note");
  assert.equal(uno.heard, "", "nothing is sent later");
});

test("a bridge that ends is shown as such, and the page goes on without a gap", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await uno.say("\nbefore\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("before")));
  await bridge.stop();
  await until("the end", async () => (await state(page)) === "stopped");
  assert.match(await text(page, "#state-text"), /does not answer/);
  assert.match(await text(page, "#remedy"), /running/);
  await start(t, ["--port", `uno=${uno.path}`], bridge.port);
  await isOpen(page);
  await uno.say("\nafter\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("after")));
  assert.ok((await rows(page)).some((row) => /missed/.test(row)), "another run is a gap");
});

test("a connection that breaks goes on exactly where it was", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const way = await cable(t, bridge.port);
  const page = await open(t, way.url);
  await isOpen(page);
  await uno.say("\n1\n2\n");
  await until("lines", async () => (await rows(page)).at(-1)?.endsWith("2"));
  way.cut();
  await until("the break", async () => (await state(page)) === "stopped");
  await uno.say("3\n4\n");
  way.mend();
  await isOpen(page);
  await uno.say("5\n");
  await until("lines", async () => (await rows(page)).at(-1)?.endsWith("5"));
  const lines = (await page.locator("#rows .line > span").allTextContents()).slice(-5);
  assert.deepEqual(lines, ["1", "2", "3", "4", "5"]);
  assert.equal(await page.locator("#missed-figure").isVisible(), false);
});

test("only the newest lines are asked for where there are too many, and all again go on from there", async (t) => {
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t, bridge.url);
  await page.selectOption("#latest", "5");
  await until("the rate", async () => /^[456] lines\/s shown$/.test(await text(page, "#rate")));
  await page.selectOption("#latest", "");
  await until("the rate", async () => /^[45]\d lines\/s$/.test(await text(page, "#rate")));
  await page.check("#times");
  const lines = (await saved(page, "#download")).bytes.toString().trim().split("\n");
  assert.equal(new Set(lines).size, lines.length, "no line comes twice");
  assert.deepEqual(lines.filter((line) => / # /.test(line)).map((line) => line.slice(13)), ["# sim is open (simulated)"]);
});

test("text view plots no number that was not sent", async (t) => {
  const { uno, page } = await onBoard(t);
  // The last 2000 bytes begin with the end of a line.
  await uno.say(`${"1000\n".repeat(500)}ok\n`);
  await until("all lines", async () => (await rows(page)).at(-1)?.endsWith("ok"));
  await page.selectOption("#view", "text");
  await until("the newest of them", async () => (await rows(page)).at(-1)?.endsWith("ok"));
  await uno.say("10");
  await until("the unfinished line", async () => (await rows(page)).at(-1)?.endsWith("10"));
  await uno.unplug();
  await until("lost", async () => (await state(page)) === "lost");
  await uno.plug();
  await isOpen(page);
  await uno.say("2\n1002\n");
  await until("the value", async () => (await text(page, "#legend .value")) === "1002");
  const csv = (await saved(page, "#plot-csv")).bytes.toString();
  assert.deepEqual([...new Set(csv.match(/(?<=\d,).+(?=\r)/g))], ["1000", "1002"]);
});

test("the port is lent and taken back", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.click("#release");
  await until("released", async () => (await state(page)) === "released");
  assert.match(await text(page, "#state-text"), /released to another program/);
  await page.click("#resume");
  await isOpen(page);
  await uno.say("\nback\n");
  await until("a line", async () => (await rows(page)).some((row) => row.endsWith("back")));
});

test("read-only is shown, and its buttons do nothing", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--read-only"]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await until("lines", async () => (await rows(page)).length > 0);
  for (const button of ["#reset", "#release", "#text"]) assert.ok(await page.isDisabled(button), button);
});

test("what a hostile device says is text", async (t) => {
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
  for (const line of hostile) await uno.say(`${line}\n`);
  await uno.say(Buffer.from([0xff, 0xfe, 0x80, 0x41, 0x0a]));
  await uno.say("end\n");
  await until("the end", async () => (await rows(page)).at(-1)?.endsWith("end"));
  const shown = (await rows(page)).join("\n");
  assert.ok(shown.includes("<script>window.hacked = 1</script>"), shown.slice(0, 500));
  assert.ok(shown.includes("‹ESC›[31mred‹ESC›[0m‹BEL›‹BS›"));
  assert.ok(shown.includes("‹U+202E›gnitirw"));
  assert.ok(shown.includes("��") && shown.includes("A"));
  assert.match(shown, /more characters/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator("#rows script, #rows img, #legend img").count(), 0);
  await page.fill("#search", "<SCRIPT");
  await until("the search", async () => (await rows(page)).length === 1);
  assert.equal(await page.locator("#rows mark").textContent(), "<script");
  assert.equal(await text(page, "#found"), "1 found");
  await until("a screen reader to say so", async () => (await text(page, "#announced")) === "1 found");
});

test("text without line ends, and bytes, are shown", async (t) => {
  const { uno, page } = await onBoard(t);
  await page.selectOption("#view", "text");
  await isOpen(page);
  await sleep(200);
  await uno.say("name? ");
  await until("the question", async () => (await rows(page)).at(-1)?.endsWith("name? "));
  await uno.say("and more\nnext");
  await until("the rest", async () => (await rows(page)).slice(-2).join("|").includes("name? and more|") && (await rows(page)).at(-1)?.endsWith("next"));
  await page.selectOption("#view", "hex");
  await sleep(300);
  await uno.say(Buffer.from([0, 255, 65]));
  await until("bytes", async () => (await rows(page)).join("\n").includes("00 ff 41"));
  assert.ok((await text(page, "#legend")).includes("byte"));
});

test("a board that says nothing is wondered about until it does", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await isOpen(page);
  await until("the help", () => page.isVisible("#silence"));
  assert.match(await text(page, "#silence"), /println/);
  await page.screenshot({ path: shot("silence") });
  await uno.say("\nready\n");
  await until("the first line", async () => (await rows(page)).at(-1)?.endsWith("ready"));
  assert.equal(await page.isVisible("#silence"), false);
});

test("one of several ports is chosen, and stays chosen", async (t) => {
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

test("from a port that does not exist a link leads to the first one", async (t) => {
  const bridge = await start(t, ["--port", "a=sim", "--port", "b=sim:labels"]);
  const page = await open(t, `${bridge.url}/?port=none`);
  await until("the mistake", async () => (await state(page)) === "mistake");
  assert.match(await text(page, "#state-text"), /ports\/a/);
  assert.equal(await text(page, "#address"), bridge.url.replace("http", "ws"));
  await page.screenshot({ path: shot("no-such-port") });
  await page.click("#first a");
  await isOpen(page);
  assert.equal(await page.inputValue("#port"), "a");
  assert.equal(await page.isVisible("#first"), false);
});

test("what is kept is saved", async (t) => {
  const { uno, page } = await onBoard(t);
  await uno.say("a:1\nb:2\n");
  await until("two series", async () => (await page.locator("#legend button").count()) === 2);
  const csv = await saved(page, "#plot-csv");
  assert.match(csv.name, /^uno-.*\.csv$/);
  assert.match(csv.bytes.toString(), /^time,a,b\r\n\d+\.\d{6},1,\r\n\d+\.\d{6},,2\r\n$/);
  const png = await saved(page, "#plot-png");
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
  test(`nothing serious for people who see or move differently: ${name}`, async (t) => {
    const bridge = await start(t, ["--port", "plant=sim:labels", "--port", "uno=sim"]);
    // axe is put into the page, which permits no script but its own.
    const page = await open(t, bridge.url, { ...look, bypassCSP: true });
    await until("three series", async () => (await page.locator("#legend button").count()) === 3);
    await page.addScriptTag({ path: join(root, "tests/browser/node_modules/axe-core/axe.min.js") });
    const { violations } = await page.evaluate(() => window.axe.run());
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    assert.deepEqual(serious.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);
    if (violations.length > 0) t.diagnostic(violations.map(({ id }) => id).join(", "));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
    const heights = await page.locator("#plotter .bar button").evaluateAll((buttons) => buttons.map((button) => button.offsetTop));
    assert.equal(new Set(heights).size, 1, "the buttons of the plot are in one row");
    await page.screenshot({ path: shot(name), fullPage: name.startsWith("phone") });
  });
}
