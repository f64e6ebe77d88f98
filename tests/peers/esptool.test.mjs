// esptool by `rfc2217://` and by a pseudo-terminal at an output of serial-ws, with the boot ROM of boot-rom.py as the board, while others watch.
//
// needs program: python3
// needs program: cc from gcc
// needs pip: esptool==5.6.0
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder as temporary } from "./documents.mjs";
import { folder, freePort, load, root, startWithLines, until, watch } from "./support.mjs";

const { WebSocket } = load("esptool", "ws");
const DOWNLOAD = "waiting for download";
const FLASH = "SPI_FAST_FLASH_BOOT";

/** A chip behind serial-ws, a client that watches, and esptool at its output: rfc2217 or pty. */
async function chip(t, output, ...options) {
  const path = join(temporary(t), "esp");
  const place = output === "pty" ? join(temporary(t), "shared") : await freePort();
  const rom = spawn("python3", [join(root, "tests/peers/boot-rom.py"), path], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => rom.kill("SIGKILL"));
  let said = "";
  rom.stdout.setEncoding("utf8").on("data", (data) => { said += data; });
  await until("the boot ROM", () => said.startsWith("ready"));
  const bridge = await startWithLines(t, `esp=${path}`, `--${output}`, String(place), ...options);
  // The chip sees its lines there.
  rom.stdin.write(`${bridge.changes}\n`);
  await until("the chip to see its lines", () => said.includes("lines\n"));
  const watcher = await watch(t, bridge, WebSocket);
  const esptool = async (...command) => {
    const env = { ...process.env, PYTHONPATH: join(folder("esptool"), "python"), NO_COLOR: "1" };
    const port = ["--chip", "auto", "--port", output === "pty" ? place : `rfc2217://127.0.0.1:${place}`];
    const child = spawn("python3", ["-m", "esptool", ...port, ...command], { env, stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (data) => { printed += data; });
    const [code] = await once(child, "close");
    assert.equal(code, 0, printed);
    return printed;
  };
  return { bridge, watcher, esptool, said: () => said };
}

/** Checks what others saw of a run of esptool, and that it has left the port as it was. */
async function check({ bridge, watcher }, opened) {
  await until("the write lock to end", () => !watcher.statuses.at(-1).writer);
  await until("the lines to return", () => bridge.changed().length >= opened + 8);
  // Into the bootloader, with EN low while only RTS is on, and out of it; then as it was before.
  const sequence = ["dtr 0", "dtr 1", "rts 0", "dtr 0", "rts 1", "rts 0", "dtr 1", "rts 1"];
  assert.deepEqual(bridge.changed().slice(opened), sequence);
  await until("the firmware to start", () => watcher.bytes.includes(FLASH));
  assert.ok(watcher.bytes.indexOf(DOWNLOAD) < watcher.bytes.indexOf(FLASH), "the boot log of both starts");
  assert.equal(watcher.statuses.at(-1).settings.baud, 115200);
}

test("read-mac and chip-id reset the board into its bootloader and out of it, and pages see the boot log", async (t) => {
  for (const command of ["read-mac", "chip-id"]) {
    const it = await chip(t, "rfc2217", "--baud", "115200");
    const opened = it.bridge.changed().length;
    const printed = await it.esptool(command);
    assert.match(printed, /MAC: +24:0a:c4:11:22:33/);
    await check(it, opened);
  }
});

/** Each output with a port whose rate is fixed, and one whose rate is not. */
const runs = ["rfc2217", "pty"].flatMap((output) => [[output, "fixed", ["--baud", "115200"]], [output, "not fixed", []]]);

for (const [output, what, options] of runs) {
  test(`write-flash by ${output} writes 256 KiB at 921600 baud to a port whose rate is ${what}, while a page watches`, async (t) => {
    const firmware = Buffer.alloc(256 << 10);
    // What is compressed by a quarter, so that esptool does so: Numerical Recipes' generator.
    for (let at = 0, state = 1; at < firmware.length; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      firmware[at] = state >>> 26;
    }
    const digest = createHash("md5").update(firmware).digest("hex");
    const file = join(temporary(t), "firmware.bin");
    writeFileSync(file, firmware);
    const it = await chip(t, output, ...options);
    const began = Date.now();
    const printed = await it.esptool("--baud", "921600", "write-flash", "--flash-size", "keep", "0x10000", file);
    t.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s`);
    assert.match(printed, /Hash of data verified/);
    const sum = `0x10000 ${firmware.length} ${digest}\n`;
    assert.ok(it.said().includes(`baud 921600\nwritten ${sum}asked ${sum}`), it.said());
    const rates = it.watcher.statuses.map(({ settings }) => settings.baud);
    assert.ok(rates.includes(921600), String(rates));
    assert.match(it.watcher.statuses.find(({ writer }) => writer).writer.name, /^(rfc2217 127\.0\.0\.1:\d+|pty \/.*\/shared)$/);
    await until("all to be as before", () => {
      const { writer, settings } = it.watcher.statuses.at(-1);
      return !writer && settings.baud === rates[0];
    });
  });
}
