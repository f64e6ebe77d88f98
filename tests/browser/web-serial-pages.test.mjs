// The calls of real pages written for Web Serial, each by a page that makes exactly these calls: p5.webserial by gohai,
// p5.WebSerial by yoonbuck, Chrome's serial terminal, and Betaflight Configurator. Their sources are not here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { TIMEOUT, board, launch, start, until } from "./support.mjs";

let native, without;
before(async () => {
  native = await launch();
  without = await launch(["--disable-blink-features=Serial"]);
});
after(() => Promise.all([native.close(), without.close()]));

/** A page with the script as its browser needs it, and `seen`, into which its code writes. */
async function page(t, bridge, browser) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(TIMEOUT);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  t.after(async () => {
    await page.context().close();
    assert.deepEqual(errors, [], "the page had errors");
  });
  await page.goto(`${bridge.url}/healthz`);
  await page.evaluate(([src, replace]) => new Promise((resolve) => {
    const script = Object.assign(document.createElement("script"), { src, onload: resolve });
    if (replace) script.dataset.replace = "";
    document.head.append(script);
  }), [`${bridge.url}/web-serial.js`, browser === native]);
  await page.evaluate(() => {
    window.seen = "";
    document.body.innerHTML = "<button>Connect</button>";
  });
  return page;
}

async function connect(page) {
  await page.click("text=Connect");
  await page.locator("dialog[open] label", { hasText: "uno" }).locator("input").check();
  await page.locator("dialog[open]").getByRole("button", { name: "Connect" }).click();
}

/** Tries a page in a browser without Web Serial, and in one whose own is replaced. */
function inBoth(name, run) {
  for (const [kind, browser] of [["without Web Serial", () => without], ["with data-replace", () => native]]) {
    test(`${name}, ${kind}`, async (t) => {
      const uno = await board(t);
      const bridge = await start(t, ["--port", `uno=${uno.path}`, "--offer", uno.path]);
      await run({ uno, page: await page(t, bridge, browser()) });
    });
  }
}

const text = (page, end) => until(end, () => page.evaluate((end) => seen.endsWith(end), end));

inBoth("p5.webserial: instance check, reader held while open, cancel() to close", async ({ uno, page }) => {
  await page.evaluate(() => {
    const library = { port: null, keepReading: true };
    window.library = library;
    document.querySelector("button").onclick = async () => {
      if (!("serial" in navigator)) throw new Error("not supported");
      library.used = await navigator.serial.getPorts();
      library.port = await navigator.serial.requestPort({ filters: [] });
      await library.port.open({ baudRate: 9600 });
      while (library.port.readable && library.keepReading) {
        library.reader = library.port.readable.getReader();
        try {
          for (;;) {
            const { value, done } = await library.reader.read();
            if (done) {
              library.reader.releaseLock();
              break;
            }
            seen += new TextDecoder().decode(value);
          }
        } catch (error) {
          library.reader.releaseLock();
        }
      }
      library.port.close();
      library.reader = null;
      seen += "disconnected";
    };
    library.opened = () => library.port instanceof SerialPort && library.port.readable !== null;
  });
  await connect(page);
  await until("it to be open", () => page.evaluate(() => library.opened()));
  await uno.send("1,2\n");
  await text(page, "1,2\n");
  await page.evaluate(async () => {
    const writer = library.port.writable.getWriter();
    await writer.write(new TextEncoder().encode("H"));
    writer.releaseLock();
  });
  await until("the board to receive it", () => uno.received === "H");
  await page.evaluate(() => { library.keepReading = false; library.reader.cancel(); });
  await text(page, "disconnected");
  assert.equal(await page.evaluate(() => library.opened()), false);
});

inBoth("p5.WebSerial: ports at start, events at navigator.serial, pipeTo a text decoder", async ({ uno, page }) => {
  await page.evaluate(() => {
    const events = [];
    navigator.serial.addEventListener("connect", ({ target }) => events.push(["connect", target]));
    navigator.serial.addEventListener("disconnect", ({ target }) => events.push(["disconnect", target]));
    window.events = events;
    document.querySelector("button").onclick = async () => {
      window.port = await navigator.serial.requestPort();
      await port.open({ baudRate: 9600 });
      const decoder = new TextDecoderStream();
      window.closed = port.readable.pipeTo(decoder.writable).catch(() => {});
      window.reader = decoder.readable.getReader();
      for (;;) {
        const { value, done } = await reader.read().catch(() => ({ done: true }));
        if (done) break;
        seen += value;
      }
    };
  });
  await connect(page);
  await until("it to be open", () => page.evaluate(() => Boolean(window.reader)));
  await uno.send("512\n");
  await text(page, "512\n");
  await uno.unplug();
  await until("disconnect", () => page.evaluate(() => events.at(-1)?.[0] === "disconnect" && events.at(-1)[1] === port));
  await page.evaluate(async () => { await reader.cancel().catch(() => {}); await closed; await port.close(); });
  await uno.plug();
  await until("connect", () => page.evaluate(() => events.at(-1)[0] === "connect" && events.at(-1)[1] === port));
});

inBoth("serial terminal: both spellings, a reader for buffers, a writer for each key", async ({ uno, page }) => {
  await page.evaluate(() => {
    document.querySelector("button").onclick = async () => {
      window.port = await navigator.serial.requestPort({});
      await port.open({ baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1, flowControl: "none", bufferSize: 8192, baudrate: 9600, databits: 8, stopbits: 1, rtscts: false });
      while (port && port.readable) {
        window.reader = port.readable.getReader({ mode: "byob" });
        let buffer = new ArrayBuffer(8192);
        for (;;) {
          const { value, done } = await reader.read(new Uint8Array(buffer, 0, 8192));
          if (value) {
            buffer = value.buffer;
            seen += new TextDecoder().decode(value);
          }
          if (done) break;
        }
        reader.releaseLock();
      }
    };
  });
  await connect(page);
  await until("it to be open", () => page.evaluate(() => Boolean(window.reader)));
  await uno.send("$ ");
  await text(page, "$ ");
  await page.evaluate(() => {
    for (const key of "ls\r") {
      const writer = port.writable.getWriter();
      writer.write(new TextEncoder().encode(key));
      writer.releaseLock();
    }
  });
  await until("the keys", () => uno.received === "ls\r");
  await page.evaluate(async () => {
    const local = port;
    window.port = undefined;
    await reader.cancel();
    await local.close();
  });
});

inBoth("Betaflight: getPorts() in a constructor, ports by identity, a disconnect handler that closes", async ({ uno, page }) => {
  await page.evaluate(() => {
    const ids = new WeakMap();
    const known = [];
    const id = (port) => (ids.has(port) || ids.set(port, `serial_${known.push(port)}`), ids.get(port));
    navigator.serial.addEventListener("connect", (event) => { seen += `added ${id(event.target)}\n`; });
    navigator.serial.addEventListener("disconnect", (event) => { seen += `removed ${id(event.target)}\n`; });
    navigator.serial.getPorts().then((ports) => { seen += `ports ${ports.map(id)}\n`; });
    document.querySelector("button").onclick = async () => {
      window.port = await navigator.serial.requestPort({ filters: [{ usbVendorId: 0x483, usbProductId: 0x5740 }] });
      seen += `chosen ${id(port)} ${port.getInfo().usbVendorId}\n`;
      await port.open({ baudRate: 115200 });
      const writer = port.writable.getWriter(), reader = port.readable.getReader();
      port.addEventListener("disconnect", async () => {
        await reader.cancel().catch(() => {});
        reader.releaseLock();
        writer.releaseLock();
        await port.close();
        seen += "closed\n";
      }, { once: true });
      await writer.write(Uint8Array.of(0x24, 0x4d, 0x3c));
      for (;;) {
        const { value, done } = await reader.read().catch(() => ({ done: true }));
        if (done) break;
        seen += `${value.join()}\n`;
      }
    };
  });
  await text(page, "ports \n");
  await connect(page);
  await text(page, "chosen serial_1 undefined\n");
  await until("the request", () => uno.received === "$M<");
  await uno.send(Buffer.from([1, 2, 255]));
  await text(page, "1,2,255\n");
  await uno.unplug();
  await until("closed", () => page.evaluate(() => seen.includes("removed serial_1\n") && seen.includes("closed\n")));
  await uno.plug();
  await text(page, "added serial_1\n");
});
