// Programs for people at the pseudo-terminal of a port, which take it for a serial port.
//
// needs program: picocom
// needs program: script from bsdutils
// needs program: socat
// needs program: tio
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, folder as temporary } from "./documents.mjs";
import { load, start, until, watch } from "./support.mjs";

const { WebSocket } = load("terminals", "ws");

/** How each program is told the path and the rate of a port. */
const programs = {
  picocom: (path, rate) => ["picocom", "--quiet", "--baud", rate, path],
  socat: (path, rate) => ["socat", "-", `OPEN:${path},b${rate},raw,echo=0`],
  tio: (path, rate) => ["tio", "--baudrate", rate, path],
};

for (const [name, command] of Object.entries(programs)) {
  for (const [what, rate] of [["in force", 9600], ["of its own", 57600]]) {
    test(`${name} with a rate ${what} types to the board, shows what it sends, and leaves the port as it was`, async (t) => {
      const near = await board(t);
      const path = join(temporary(t), "shared");
      const bridge = await start(t, `uno=${near.path}`, "--baud", "9600", "--pty", path, "--settle", "0s");
      const watcher = await watch(t, bridge, WebSocket);
      // They want a terminal of their own.
      const words = command(path, String(rate)).map((word) => `'${word}'`).join(" ");
      const child = spawn("script", ["--quiet", "--command", `stty raw; exec ${words}`, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
      t.after(() => child.kill("SIGKILL"));
      let printed = "";
      child.stdout.setEncoding("utf8").on("data", (data) => { printed += data; });
      await until(`${name} to open the port`, () => bridge.log().includes("connected: pty"));
      await until("the rate", () => watcher.statuses.at(-1).settings.baud === rate);
      assert.equal(Boolean(watcher.statuses.at(-1).writer), rate !== 9600, "who has the write lock");
      child.stdin.write("G28\r");
      await until("the board to receive it", () => near.received().startsWith("G28"));
      near.send("temperature 21\r\n");
      await until(`${name} to show it`, () => printed.includes("temperature 21"));
      assert.match(String(watcher.bytes), /temperature 21/, "a page sees it too");
      child.kill("SIGTERM");
      await until("the port to be as it was", () => {
        const { writer, settings } = watcher.statuses.at(-1);
        return bridge.log().includes("left: pty") && !writer && settings.baud === 9600;
      });
    });
  }
}
