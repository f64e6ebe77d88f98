// web-serial.js in a real browser without Web Serial, with the real program and a board on a pseudo-terminal.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { TIMEOUT, board, launch, root, serve, start, until } from "./support.mjs";

let browser, folder;

before(async () => {
  browser = await launch(["--disable-blink-features=Serial"]);
  folder = mkdtempSync(join(tmpdir(), "serial-ws-lines-"));
});

after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A board at a port of serial-ws; `lines` are its modem lines, which a pseudo-terminal has only by a library. */
async function onBoard(t, args = [], spec = []) {
  const uno = await board(t);
  const bridge = await start(t, [...(spec.length ? spec : ["--port", `uno=${uno.path}`, "--offer", uno.path]), ...args]);
  return { uno, bridge };
}

/** Starts serial-ws with a library that gives pseudo-terminals modem lines. */
async function withLines(t, args = []) {
  const library = join(folder, "modem-lines.so");
  execFileSync("cc", ["-shared", "-fPIC", "-o", library, join(root, "tests/browser/modem-lines.c")]);
  const file = join(folder, `lines-${Math.random()}`);
  writeFileSync(file, Buffer.alloc(16));
  Object.assign(process.env, { LD_PRELOAD: library, LINES_FILE: file });
  try {
    const made = await onBoard(t, args);
    return {
      ...made,
      /** DTR, RTS and break as serial-ws set them. */
      outputs: () => [...readFileSync(file)].slice(0, 3).join(""),
      /** Sets an input or a count. The file is mapped by serial-ws, so it keeps its length. */
      set: (at, value) => {
        const descriptor = openSync(file, "r+");
        writeSync(descriptor, Uint8Array.of(value), 0, 1, at);
        closeSync(descriptor);
      },
    };
  } finally {
    delete process.env.LD_PRELOAD;
    delete process.env.LINES_FILE;
  }
}

/** Opens a page of serial-ws with the script, and a button that asks for a port. */
async function withScript(t, bridge, { context, src = bridge.url, attributes = {} } = {}) {
  context ??= await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  t.after(async () => {
    await page.close();
    assert.deepEqual(errors, [], "the page had errors");
  });
  await page.goto(bridge.page ?? `${bridge.url}/healthz`);
  await page.evaluate(([src, attributes]) => new Promise((resolve) => {
    const script = Object.assign(document.createElement("script"), { src, onload: resolve });
    for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
    document.head.append(script);
  }), [`${src}/web-serial.js`, attributes]);
  await page.evaluate(() => {
    const button = document.body.appendChild(document.createElement("button"));
    button.textContent = "Connect";
    button.onclick = () => {
      window.chosen = navigator.serial.requestPort(window.wanted).then((port) => { window.port = port; return port; });
      window.chosen.catch(() => {});
    };
    window.text = (bytes) => new TextDecoder().decode(bytes);
    window.bytes = (text) => new TextEncoder().encode(text);
    window.failed = (promise) => promise.then(() => "nothing failed", (error) => `${error.name}: ${error.message}`);
    /** Reads until this text has come. */
    window.readUntil = async (port, end) => {
      const reader = port.readable.getReader();
      let all = "";
      while (!all.endsWith(end)) all += text((await reader.read()).value);
      reader.releaseLock();
      return all;
    };
    window.write = async (port, text) => {
      const writer = port.writable.getWriter();
      await writer.write(bytes(text));
      writer.releaseLock();
    };
  });
  return page;
}

/** Chooses a port by keyboard alone. */
async function choose(page, label = "uno") {
  await page.click("text=Connect");
  await page.waitForSelector("dialog[open]");
  const radio = page.locator("dialog label", { hasText: label }).locator("input");
  await radio.focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await page.evaluate(() => window.chosen);
}

/** A page with `port` chosen and opened. */
async function opened(t, bridge, options = {}) {
  const page = await withScript(t, bridge);
  await choose(page);
  await page.evaluate((options) => port.open({ baudRate: 9600, ...options }), options);
  return page;
}

test("a chosen port is opened, read, written, closed and opened again", async (t) => {
  const { uno, bridge } = await onBoard(t);
  const page = await opened(t, bridge);
  await uno.send("hello\n");
  assert.equal(await page.evaluate(() => readUntil(port, "\n")), "hello\n");
  await page.evaluate(() => write(port, "H"));
  await until("the board to receive it", () => uno.received === "H");
  await page.evaluate(() => port.close());
  assert.deepEqual(await page.evaluate(() => [port.readable, port.writable]), [null, null]);
  await uno.send("while it was closed\n");
  await page.evaluate(() => port.open({ baudRate: 9600, dataBits: undefined, parity: undefined }));
  await uno.send("again\n");
  assert.match(await page.evaluate(() => readUntil(port, "again\n")), /again\n$/);
});

test("the chooser is a dialog for keyboard and screen reader, and Escape chooses nothing", async (t) => {
  const { uno, bridge } = await onBoard(t);
  const page = await withScript(t, bridge);
  await page.click("text=Connect");
  const dialog = page.getByRole("dialog", { name: "wants to use a serial port" });
  await dialog.waitFor();
  const radio = dialog.getByRole("radio", { name: uno.path });
  await radio.waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Connect" }).isDisabled(), true);
  await page.keyboard.press("Escape");
  assert.match(await page.evaluate(() => failed(chosen)), /^NotFoundError/);
  await page.click("text=Connect");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.match(await page.evaluate(() => failed(chosen)), /^NotFoundError/);
});

test("a port that was chosen is there at once when the page is loaded again, as the same object each time", async (t) => {
  const { bridge } = await onBoard(t);
  const context = await browser.newContext();
  const page = await withScript(t, bridge, { context });
  assert.equal(await page.evaluate(async () => (await navigator.serial.getPorts()).length), 0);
  await choose(page);
  assert.equal(await page.evaluate(async () => (await navigator.serial.getPorts())[0] === port), true);
  await choose(page);
  assert.equal(await page.evaluate(async () => (await navigator.serial.getPorts())[0] === port && port instanceof SerialPort), true);
  const other = await withScript(t, bridge, { context });
  const found = await other.evaluate(async () => {
    window.port = (await navigator.serial.getPorts())[0];
    await port.open({ baudRate: 9600 });
    return (await navigator.serial.getPorts())[0] === port;
  });
  assert.equal(found, true);
  await other.evaluate(() => port.forget());
  assert.equal(await other.evaluate(async () => (await navigator.serial.getPorts()).length), 0);
});

test("unplugging is a NetworkError in both streams, an event at both targets, and leaves close() to the page", async (t) => {
  const { uno, bridge } = await onBoard(t);
  const page = await opened(t, bridge);
  await page.evaluate(() => {
    window.seen = [];
    const note = (name) => (event) => seen.push([name, event.type, event.target === port, event.port === port, port.connected]);
    port.addEventListener("disconnect", note("port"));
    navigator.serial.addEventListener("disconnect", note("serial"));
    navigator.serial.addEventListener("connect", note("serial"));
    navigator.serial.ondisconnect = note("handler");
    window.reader = port.readable.getReader();
    window.writer = port.writable.getWriter();
  });
  await uno.send("last\n");
  await until("the last line", () => page.evaluate(async () => text((await reader.read()).value) === "last\n"));
  await uno.unplug();
  assert.match(await page.evaluate(() => failed(reader.read())), /^NetworkError: The device has been lost\. .*unplugged/);
  assert.match(await page.evaluate(() => failed(writer.write(bytes("x")))), /^NetworkError/);
  assert.deepEqual(await page.evaluate(() => [port.readable, port.writable, port.connected]), [null, null, false]);
  assert.deepEqual(await page.evaluate(() => seen), ["port", "serial", "handler"].map((name) => [name, "disconnect", true, true, false]));
  assert.match(await page.evaluate(() => failed(port.open({ baudRate: 9600 }))), /^InvalidStateError/);
  await page.evaluate(() => port.close());
  assert.equal(await page.evaluate(async () => (await navigator.serial.getPorts()).length), 0);
  await uno.plug();
  await until("connect", () => page.evaluate(() => seen.at(-1)[1] === "connect" && seen.at(-1)[2] && port.connected));
  await page.evaluate(() => port.open({ baudRate: 9600 }));
  await uno.send("back\n");
  assert.match(await page.evaluate(() => readUntil(port, "back\n")), /back\n$/);
});

test("signals reach the lines, inputs and breaks are told, and the lock shows who sets them", async (t) => {
  const { bridge, outputs, set } = await withLines(t);
  const page = await opened(t, bridge);
  const watcher = await withScript(t, bridge);
  await watcher.addScriptTag({ url: `${bridge.url}/serial-ws.js` });
  await watcher.evaluate(() => { window.serial = new SerialWs(); });
  await until("the watcher", () => watcher.evaluate(() => serial.opened));
  await until("both lines", () => outputs() === "110");
  await page.evaluate(() => port.setSignals({ dataTerminalReady: true }));
  assert.equal(await watcher.evaluate(() => serial.status.writer), undefined, "nothing was changed");
  await page.evaluate(() => { document.title = "Flasher"; return port.setSignals({ dataTerminalReady: false, requestToSend: true }); });
  assert.equal(outputs(), "010");
  await until("the name", () => watcher.evaluate(() => serial.status.writer?.name === "Flasher"));
  assert.match(await watcher.evaluate(() => failed(serial.send("x"))), /"Flasher"\) has the write lock/);
  await page.evaluate(() => port.setSignals({ break: true, requestToSend: false }));
  assert.equal(outputs(), "001");
  set(3, 1);
  set(5, 1);
  const expected = { dataCarrierDetect: true, clearToSend: true, ringIndicator: false, dataSetReady: false };
  await until("the inputs", async () => JSON.stringify(await page.evaluate(() => port.getSignals())) === JSON.stringify(expected));
  // A driver that counts errors ends the stream, and the next one goes on.
  await page.evaluate(() => { window.reader = port.readable.getReader(); window.ending = failed(reader.read()); });
  set(7, 1);
  assert.match(await page.evaluate(() => ending), /^FramingError/);
  assert.equal(await page.evaluate(() => port.readable.locked), false);
  // When it is done, everything returns.
  await page.evaluate(() => port.close());
  await until("the lines to return", () => outputs() === "110");
  assert.equal(await watcher.evaluate(() => serial.status.writer), undefined);
});

test("another rate than others use is refused with the real one, and goes within two seconds of close()", async (t) => {
  const { uno, bridge } = await onBoard(t, ["--baud", "9600"]);
  const page = await withScript(t, bridge);
  await choose(page);
  assert.match(await page.evaluate(() => failed(port.open({ baudRate: 115200 }))), /^NetworkError: Failed to open serial port: baud is fixed to 9600/);
  const watcher = await opened(t, bridge);
  assert.match(await page.evaluate(() => failed(port.open({ baudRate: 115200 }))), /^NetworkError: .*in use with 9600 baud/);
  await page.evaluate(() => port.open({ baudRate: 9600 }));
  await page.evaluate(async () => {
    await port.close();
    await port.open({ baudRate: 115200 });
  });
  const settings = async () => (await (await fetch(`${bridge.url}/api/ports`)).json())[0].settings.baud;
  assert.equal(await settings(), 115200);
  assert.match(await watcher.evaluate(() => failed(write(port, "x"))), /has the write lock/);
  // Others go on watching.
  await uno.send("progress\n");
  assert.match(await watcher.evaluate(() => readUntil(port, "progress\n")), /progress\n$/);
  // It is done: what was before is in force again, and others may write.
  await page.evaluate(() => port.close());
  await until("the rate to return", async () => await settings() === 9600);
  await watcher.evaluate(() => write(port, "mine"));
  await until("the board to receive it", () => uno.received.endsWith("mine"));
  // The same when it is gone.
  await page.evaluate(async () => {
    await port.open({ baudRate: 9600 });
    await port.close();
    await port.open({ baudRate: 57600 });
  });
  assert.equal(await settings(), 57600);
  await page.goto("about:blank");
  await until("the rate to return", async () => await settings() === 9600);
});

test("a page of another server finds serial-ws where the script came from, or by data-url", async (t) => {
  const { bridge } = await onBoard(t);
  const folder = await serve(t, join(root, "web"));
  for (const [src, attributes] of [[bridge.url, {}], [folder, { "data-url": bridge.url.replace("http://", "") }]]) {
    const page = await withScript(t, { page: `${folder}/notice.html` }, { src, attributes });
    await choose(page);
    assert.match(await page.evaluate(() => failed(port.open({ baudRate: 0 }))), /^TypeError: baudRate must be/);
    await page.evaluate(() => port.open({ baudRate: 9600 }));
  }
});

test("without a click or with wrong filters there is no chooser", async (t) => {
  const { bridge } = await onBoard(t);
  const page = await withScript(t, bridge);
  const outcome = (wanted) => page.evaluate((wanted) => failed(navigator.serial.requestPort(wanted)), wanted);
  // Whatever a test evaluates counts as a click.
  await page.evaluate(() => Object.defineProperty(navigator, "userActivation", { configurable: true, value: { isActive: false } }));
  assert.match(await outcome(), /^SecurityError/);
  await page.evaluate(() => { delete navigator.userActivation; });
  await page.evaluate(() => { window.wanted = { filters: [{}] }; });
  await page.click("text=Connect");
  assert.match(await page.evaluate(() => failed(chosen)), /^TypeError/);
  assert.match(await outcome({ filters: [{ usbProductId: 1 }] }), /^TypeError/);
  assert.equal(await page.locator("dialog").count(), 0);
});

test("where the browser has Web Serial, that stays unless the script is to replace it", async (t) => {
  const { bridge } = await onBoard(t);
  const native = await launch();
  t.after(() => native.close());
  for (const [attributes, isOurs] of [[{}, false], [{ "data-replace": "" }, true]]) {
    const page = await withScript(t, bridge, { context: await native.newContext(), attributes });
    const found = await page.evaluate(() => [
      navigator.serial === serialWs.serial,
      SerialPort === serialWs.SerialPort,
      serialWs.serial instanceof EventTarget,
    ]);
    assert.deepEqual(found, [isOurs, isOurs, true]);
  }
});
