// Every page for learners works: through --web, and from another web server on this computer.
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import { board, launch, open, pixels, proxy, quit, redirect, root, serve, sleep, mockCdn, start, until } from "./support.mjs";

after(quit);

/** A TCP port where nobody listens: a page that serial-ws serves must not go to TCP port 8080. */
const NOBODY = 9;

/** The simulated device for each p5 page, and a check that the page works. */
const sketches = {
  OneNumber: ["sim", moves],
  SeveralSensors: ["sim", moves],
  DimmerNumber: ["sim:led", dims],
  CallResponse: ["sim:call", moves],
  Button: ["sim:button", (page) => becomes(page, "pressed === '1'")],
  // No simulated board answers in binary, so this checks only that the page runs.
  CallResponseBinary: ["sim:call", (page) => becomes(page, "socket.readyState === 1 && frameCount > 5")],
  DimmerByte: ["sim:led", (page) => becomes(page, "socket.readyState === 1 && frameCount > 5")],
  Duplex: ["sim", (page) => becomes(page, "reading > 0")],
  Echo: ["loop", async (page) => {
    await becomes(page, "socket.readyState === 1");
    await page.locator("textarea").fill("hello");
    await page.keyboard.press("Enter");
    await becomes(page, "lines.some((line) => line.includes('hello'))");
  }],
  JsonLines: ["sim:json", (page) => becomes(page, "Object.keys(values).length > 1")],
  LabelledValues: ["sim:labels", (page) => becomes(page, "values.light > 0")],
  LedLetters: ["sim:led", async (page) => {
    await becomes(page, "socket.readyState === 1");
    await page.mouse.move(50, 50);
    await page.mouse.down();
    await becomes(page, "state === 'led:255'");
    await page.mouse.up();
    await becomes(page, "state === 'led:0'");
  }],
  Orientation: ["sim:imu", (page) => becomes(page, "heading !== 0")],
  RawByte: ["sim:raw", (page) => becomes(page, "readings.length > 10")],
  SlipFrames: ["room=loop,frame=slip", async (page) => {
    await becomes(page, "socket.readyState === 1");
    // The frame has the byte that ends one, escaped, and comes back without its escape:
    await page.evaluate("socket.send(new Uint8Array([0xDB, 0xDC, 2, 1, 0, 0xC0]))");
    await becomes(page, "knob === 0x2C0 && light === 1");
  }],
  TwoBoards: [["left=loop", "right=loop"], async (page) => {
    await becomes(page, "left.readyState === 1 && right.readyState === 1");
    // The page sends the number of the left board to the right one, which echoes it here:
    await page.evaluate("send(left, 5)");
    await becomes(page, "leftKnob === 5 && rightKnob === 5");
  }],
  WiFiClient: ["room=loop,lines,append=lf", async (page) => {
    await becomes(page, "socket.readyState === 1");
    await page.fill("input[type=range]", "77");
    await becomes(page, "number === 77");
  }],
};
const plain = {
  "lines.html": ["sim", (page) => shows(page, "#reading", /^\d+,\d+,\d$/)],
  "graph.html": ["sim", async (page) => {
    await shows(page, "#message", /^\d+$/);
    await moves(page, "#graph");
  }],
  "sensors.html": ["sim", (page) => until("the meter to move", () => page.evaluate(() => document.querySelector("#knob").value > 0))],
  "dimmer.html": ["sim:led", async (page) => {
    await shows(page, "#message", /move the slider/);
    await page.fill("#slider", "128");
    await shows(page, "#message", /the board says: led:128/);
  }],
  "chat.html": ["room=loop,lines,append=lf", async (page) => {
    await shows(page, "#status", /^connected$/);
    await page.fill("#input", "<b>hello</b>");
    await page.keyboard.press("Enter");
    await shows(page, "#messages", /<b>hello<\/b>/);
  }],
  "call.html": ["sim:call", (page) => shows(page, "#message", /^\d+,\d+,\d$/)],
};

const shows = (page, selector, pattern) => until(`${pattern} in ${selector}`, async () => pattern.test(await page.locator(selector).textContent()));

const becomes = (page, what) => until(what, () => page.evaluate(what));

async function moves(page, selector = "canvas") {
  await until("something to be drawn", async () => (await pixels(page, selector)).drawn > 200);
  const { sum } = await pixels(page, selector);
  await until("the drawing to move", async () => (await pixels(page, selector)).sum !== sum);
  if (selector === "canvas") await until("the message to disappear", () => page.evaluate("message === ''"));
}

async function dims(page) {
  await until("the slider", () => page.evaluate("message === 'move the slider'"));
  await page.fill("input[type=range]", "200");
  await until("the board to report it back", () => page.evaluate("heard === 'led:200'"));
}

const ports = (devices) => [devices].flat().flatMap((device) => ["--port", device]);

test("there is a test for every page", () => {
  assert.deepEqual(readdirSync(join(root, "web/p5")).sort(), Object.keys(sketches).sort());
  assert.deepEqual(readdirSync(join(root, "web/plain")).sort(), Object.keys(plain).sort());
});

for (const [name, [device, works]] of Object.entries(sketches)) {
  test(`p5/${name} through --web, with p5 from the internet`, async (t) => {
    const bridge = await start(t, [...ports(device), "--web", join(root, "web/p5", name)]);
    const page = await open(t);
    await redirect(page, NOBODY);
    const requested = await mockCdn(page);
    await page.goto(bridge.url);
    await works(page);
    assert.equal(requested.length, 1, String(requested));
  });

  test(`p5/${name} from another web server`, async (t) => {
    const bridge = await start(t, ports(device));
    const page = await open(t);
    await redirect(page, bridge.port);
    await mockCdn(page);
    await page.goto(`${await serve(t, join(root, "web/p5"))}/${name}/`);
    await works(page);
  });
}

for (const [name, [device, works]] of Object.entries(plain)) {
  test(`plain/${name}`, async (t) => {
    const bridge = await start(t, [...ports(device), "--web", join(root, "web/plain")]);
    const page = await open(t);
    await redirect(page, NOBODY);
    await page.goto(`${bridge.url}/${name}`);
    await works(page);
  });
}

for (const [file, device, works] of [["p5/OneNumber/index.html", ...sketches.OneNumber], ["plain/lines.html", ...plain["lines.html"]]]) {
  test(`${file} from disk, if allowed`, async (t) => {
    const bridge = await start(t, [...ports(device), "--allow-origin", "null"]);
    const page = await open(t);
    await redirect(page, bridge.port);
    await mockCdn(page);
    await page.goto(pathToFileURL(join(root, "web", file)).href);
    await works(page);
  });
}

for (const [file, device, works] of [["p5/OneNumber/", ...sketches.OneNumber], ["plain/lines.html", ...plain["lines.html"]]]) {
  test(`${file} behind a proxy that adds a prefix to its paths`, async (t) => {
    const bridge = await start(t, [...ports(device), "--web", join(root, "web")]);
    const near = await proxy(t, bridge.port, "/board");
    const page = await open(t);
    await redirect(page, NOBODY);
    await mockCdn(page);
    await page.goto(`${near.url}/board/${file}`);
    await works(page);
  });
}

test("p5 is loaded from the folder if it is there", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-web-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(root, "web/p5/OneNumber"), folder, { recursive: true });
  copyFileSync(join(root, "tests/browser/node_modules/p5/lib/p5.min.js"), join(folder, "p5.min.js"));
  const bridge = await start(t, ["--port", "sim", "--web", folder]);
  const page = await open(t);
  await redirect(page, NOBODY);
  const requested = await mockCdn(page);
  await page.goto(bridge.url);
  await moves(page);
  assert.deepEqual(requested, []);
});

test("every sketch says what to do where p5 cannot be loaded", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--web", join(root, "web")]);
  const page = await open(t);
  await page.route(/^https:/, (route) => route.abort());
  for (const name of Object.keys(sketches)) {
    await page.goto(`${bridge.url}/p5/${name}/`);
    assert.match(await page.innerText("body"), /^p5 could not be loaded\. Without internet, save https:\S+p5\.min\.js /, name);
  }
});

test("a modified p5 is not run", async (t) => {
  const bridge = await start(t, ["--port", "sim", "--web", join(root, "web/p5/OneNumber")]);
  const page = await open(t);
  await page.route(/^https:/, (route) => route.fulfill({ body: "window.hacked = 1", contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } }));
  await page.goto(bridge.url);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("sketches need nothing from our pages, so they run unchanged in the p5 editor", async (t) => {
  for (const name of Object.keys(sketches)) {
    const sketch = readFileSync(join(root, "web/p5", name, "sketch.js"), "utf8");
    assert.match(sketch, /new WebSocket\(address/);
    assert.doesNotMatch(sketch, /serial-ws\.js/);
  }
});

test("a sketch resumes after serial-ws restarts", async (t) => {
  const folder = join(root, "web/p5/OneNumber");
  const bridge = await start(t, ["--port", "sim"]);
  const page = await open(t);
  await redirect(page, bridge.port);
  await mockCdn(page);
  await page.goto(`${await serve(t, folder)}/`);
  await moves(page);
  await bridge.stop();
  await until("the message", () => page.evaluate("message.includes('is serial-ws running?')"));
  await start(t, ["--port", "sim"], bridge.port);
  await moves(page);
});

test("every page says so if serial-ws is not running", async (t) => {
  const web = await serve(t, join(root, "web"));
  for (const path of [...Object.keys(sketches).map((name) => `p5/${name}/`), ...Object.keys(plain).map((name) => `plain/${name}`)]) {
    const page = await open(t);
    // Nothing listens on TCP port 9 (discard).
    await redirect(page, NOBODY);
    await mockCdn(page);
    await page.addInitScript(() => {
      window.written = new Set();
      const { fillText } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        window.written.add(text);
        fillText.call(this, text, ...rest);
      };
    });
    await page.goto(`${web}/${path}`);
    await until(`${path} to say so`, () => page.evaluate(() => /is serial-ws running\?/.test([...window.written] + document.body.innerText)));
    await page.close();
  }
});

test("every page that serial-ws serves to a phone finds it there, and fits its screen", async (t) => {
  const folders = [...Object.keys(sketches).map((name) => [`p5/${name}`, "", sketches[name]]), ...Object.keys(plain).map((name) => ["plain", name, plain[name]])];
  let phone, port = 0;
  for (const [folder, file, [device, works]] of folders) {
    const bridge = await start(t, [...ports(device), "--web", join(root, "web", folder), "--allow-host", "pi.local"], port);
    if (!phone) {
      // The phone knows this computer by a name, and serial-ws by its default TCP port.
      port = bridge.port;
      phone = await launch([`--host-resolver-rules=MAP pi.local:8080 127.0.0.1:${port}`]);
      t.after(() => phone.close());
    }
    const page = await phone.newPage({ viewport: { width: 390, height: 760 } });
    await mockCdn(page);
    await page.goto(`http://pi.local:8080/${file}`);
    await works(page);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${folder}/${file} is ${width} pixels wide`);
    await page.close();
    await bridge.stop();
  }
});

for (const [folder, file, shown] of [["p5/CallResponse", "", "readings.join()"], ["plain", "call.html", "message.textContent"]]) {
  test(`${folder}/${file} asks again if a reply is lost, and only one of two open pages asks`, async (t) => {
    const uno = await board(t);
    const bridge = await start(t, ["--port", uno.path, "--web", join(root, "web", folder)]);
    const pages = [];
    async function openPage() {
      const page = await open(t);
      await redirect(page, bridge.port);
      await mockCdn(page);
      await page.addInitScript(() => {
        window.questions = [];
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (data) {
          window.questions.push(performance.now());
          send.call(this, data);
        };
      });
      await page.goto(`${bridge.url}/${file}`);
      pages.push(page);
      return page;
    }
    // It asks a silent board again after a second, but not sooner.
    const first = await openPage();
    await until("three questions", () => uno.received.length >= 3);
    const times = await first.evaluate("questions");
    times.slice(1).forEach((time, index) => assert.ok(time - times[index] > 990, String(times)));
    await openPage();

    // Replies to each question in turn, as slowly as a serial line.
    let replies = uno.received.length, max = 0;
    const reply = async (count) => {
      for (const end = replies + count; replies < end;) {
        await until("a question", () => uno.received.length > replies);
        max = Math.max(max, uno.received.length - replies);
        await sleep(10);
        await uno.send(`${replies++},2,3\n`);
      }
    };
    await uno.send("\n");
    await reply(100);
    assert.ok(max <= 6, `${max} questions at once`);
    for (const page of pages) await becomes(page, `${shown} === "${replies - 1},2,3"`);

    // A board that restarts says hello until it is asked.
    await uno.unplug();
    await uno.plug();
    replies = uno.received.length;
    await uno.send("hello\n");
    await reply(5);
  });
}
