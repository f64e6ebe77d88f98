// Flashers written for Web Serial, unmodified, over web-serial.js, in Chromium without Web Serial: esptool-js and ESP Web
// Tools flash the boot ROM of boot-rom.py while another page watches.
//
// needs program: chromium from chromium
// needs program: python3 from python3
// needs program: cc from gcc
// needs npm: esptool-js@0.7.0
// needs npm: esp-web-tools@10.4.0
// needs npm: playwright-core@1.64.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder, load, root, start, until } from "./support.mjs";

const { chromium } = load("esptool-js", "playwright-core");
const modules = join(folder("esptool-js"), "node_modules");
const place = mkdtempSync(join(tmpdir(), "serial-ws-esp-"));
/** A firmware of 1 MiB that cannot be compressed much: Numerical Recipes' generator. */
const firmware = Buffer.alloc(1 << 20);
for (let at = 0, state = 1; at < firmware.length; at++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  firmware[at] = state >>> 24;
}
const digest = createHash("md5").update(firmware).digest("hex");
/** What a page of its own server has: their packages, and the firmware. */
const files = {
  "/": "<!doctype html><title>Flasher</title>",
  "/firmware.bin": firmware,
  "/manifest.json": JSON.stringify({ name: "Test", version: "1", builds: [{ chipFamily: "ESP32", parts: [{ path: "firmware.bin", offset: 0x10000 }] }] }),
};
const types = { ".js": "text/javascript", ".json": "application/json", ".bin": "application/octet-stream" };

let browser, server, site;
before(async () => {
  execFileSync("cc", ["-shared", "-fPIC", "-o", join(place, "lines.so"), join(root, "tests/browser/modem-lines.c")]);
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-background-networking", "--disable-blink-features=Serial"] });
  server = createServer(({ url }, response) => {
    const { pathname } = new URL(url, "http://x");
    response.setHeader("Content-Type", types[extname(pathname)] ?? "text/html");
    try {
      response.end(files[pathname] ?? readFileSync(join(modules, normalize(pathname))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  await browser?.close();
  server?.close();
  rmSync(place, { recursive: true, force: true });
});

/** A chip behind serial-ws at 115200 baud, and a page that watches it. */
async function chip(t) {
  const path = join(place, `esp-${Math.random()}`);
  const rom = spawn("python3", [join(root, "tests/peers/boot-rom.py"), path], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => rom.kill("SIGKILL"));
  let said = "";
  rom.stdout.setEncoding("utf8").on("data", (data) => { said += data; });
  await until("the boot ROM", () => said.startsWith("ready"));
  // A pseudo-terminal has no modem lines of its own.
  writeFileSync(`${path}.lines`, Buffer.alloc(16));
  Object.assign(process.env, { LD_PRELOAD: join(place, "lines.so"), LINES_FILE: `${path}.lines` });
  const bridge = await start(t, "--port", `esp=${path}`, "--baud", "115200");
  delete process.env.LD_PRELOAD;
  delete process.env.LINES_FILE;
  const watcher = await page(t);
  await watcher.addScriptTag({ url: `http://127.0.0.1:${bridge.port}/serial-ws.js` });
  await watcher.evaluate(() => {
    window.watched = { bytes: 0, names: new Set(), rates: [] };
    window.serial = new SerialWs({ data: "chunks" });
    serial.on("data", (bytes) => { watched.bytes += bytes.length; });
    serial.on("status", ({ writer, settings }) => {
      if (writer) watched.names.add(writer.name);
      if (settings && watched.rates.at(-1) !== settings.baud) watched.rates.push(settings.baud);
    });
  });
  await until("the watcher", () => watcher.evaluate(() => serial.opened));
  return { bridge, watcher, said: () => said };
}

async function page(t) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(30000);
  t.after(() => page.close());
  await page.goto(`${site}/`);
  return page;
}

/** A page that flashes, with the one line that changes. */
async function flasher(t, bridge) {
  const it = await page(t);
  await it.addScriptTag({ url: `http://127.0.0.1:${bridge.port}/web-serial.js` });
  return it;
}

async function choose(page) {
  await page.locator("dialog[open] label", { hasText: "esp" }).locator("input").check();
  await page.locator("dialog[open]").getByRole("button", { name: "Connect" }).click();
}

for (const baudrate of [115200, 921600]) {
  test(`esptool-js flashes 1 MiB at ${baudrate} baud while another page watches`, async (t) => {
    const { bridge, watcher, said } = await chip(t);
    const it = await flasher(t, bridge);
    await it.evaluate(() => {
      document.body.innerHTML = "<button>Flash</button>";
      document.querySelector("button").onclick = () => { window.chosen = navigator.serial.requestPort(); };
    });
    await it.click("button");
    await choose(it);
    const began = Date.now();
    const seen = await it.evaluate(async ([baudrate, digest]) => {
      const { ESPLoader, Transport } = await import("/esptool-js/bundle.js");
      const port = await window.chosen;
      const transport = new Transport(port);
      const loader = new ESPLoader({ transport, baudrate, romBaudrate: 115200 });
      const name = await loader.main();
      const data = new Uint8Array(await (await fetch("/firmware.bin")).arrayBuffer());
      await loader.writeFlash({
        fileArray: [{ data, address: 0x10000 }],
        flashSize: "keep", flashMode: "keep", flashFreq: "keep", eraseAll: false, compress: true,
        calculateMD5Hash: () => digest,
      });
      await loader.after("hard_reset");
      await transport.disconnect();
      return { name, isClosed: port.readable === null };
    }, [baudrate, digest]);
    t.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s`);
    assert.match(seen.name, /^ESP32/);
    assert.equal(seen.isClosed, true);
    assert.match(said(), new RegExp(`written 0x10000 ${1 << 20} ${digest}\nasked 0x10000 ${1 << 20} ${digest}\n$`));
    // Others saw who it was and what the chip said, and have the port as it was.
    const isOver = () => watcher.evaluate(() => !serial.status.writer && watched.rates.at(-1) === 115200);
    await until("the lock to end, and the rate to return", isOver);
    const { bytes, names, rates } = await watcher.evaluate(() => ({ ...watched, names: [...watched.names] }));
    assert.ok(bytes > 1000, `${bytes} bytes`);
    assert.deepEqual(names, ["Flasher"]);
    assert.deepEqual(rates, baudrate === 115200 ? [115200] : [115200, 921600, 115200]);
    await watcher.evaluate(() => serial.write([0xc0]));
  });
}

test("ESP Web Tools installs a firmware from its dialog", async (t) => {
  const { bridge, said } = await chip(t);
  const it = await flasher(t, bridge);
  await it.addScriptTag({ url: "/esp-web-tools/dist/web/install-button.js", type: "module" });
  await it.evaluate(() => {
    document.body.innerHTML = "<esp-web-install-button manifest='/manifest.json'></esp-web-install-button>";
  });
  await it.locator("esp-web-install-button button").click();
  await choose(it);
  const dialog = it.locator("ewt-install-dialog");
  await dialog.getByText("Install Test").click();
  await dialog.getByText("Install", { exact: true }).last().click();
  await until("the firmware", () => said().includes(`written 0x10000 ${1 << 20} ${digest}\n`));
  // It has opened the port again, and says that it is done.
  await dialog.getByText("Next").waitFor();
});
