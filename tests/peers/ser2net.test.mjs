// ser2net as the far end of `rfc2217://` and `tcp://`.
//
// needs program: ser2net
// needs program: python3
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, folder as temporary } from "./documents.mjs";
import { allBytes, freePort, load, start, until, watch } from "./support.mjs";

const { WebSocket } = load("ser2net", "ws");

/** How ser2net names what each source speaks. */
const accepters = { rfc2217: "telnet(rfc2217),tcp", tcp: "tcp" };

/** A board behind ser2net, which can be killed and begin again. */
async function server(t, source) {
  const near = await board(t);
  const port = await freePort();
  const file = join(temporary(t), "ser2net.yaml");
  writeFileSync(file, `%YAML 1.1
---
connection: &board
    accepter: ${accepters[source]},127.0.0.1,${port}
    connector: serialdev,${near.path},9600n81,local
`);
  let child, ended;
  const begin = () => {
    // In the foreground, without a lock file, which only some users may write.
    child = spawn("ser2net", ["-n", "-u", "-c", file], { stdio: ["ignore", "inherit", "inherit"] });
    ended = once(child, "exit");
  };
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  begin();
  t.after(kill);
  return { near, begin, kill, url: `${source}://127.0.0.1:${port}` };
}

for (const source of ["rfc2217", "tcp"]) {
  test(`16 KiB of all byte values pass unchanged both ways by ${source}://, and ser2net is lost and found again`, async (t) => {
    const far = await server(t, source);
    const bridge = await start(t, `uno=${far.url}`, "--settle", "0s");
    const watcher = await watch(t, bridge, WebSocket);
    watcher.raw.send(allBytes);
    await until("the board to receive all", () => far.near.received().length >= allBytes.length);
    assert.ok(Buffer.from(far.near.received(), "latin1").equals(allBytes), "what the board received");
    far.near.send(allBytes);
    await until("the watcher to see all", () => watcher.bytes.length >= allBytes.length);
    assert.ok(watcher.bytes.equals(allBytes), "what the watcher saw");

    const before = watcher.statuses.length;
    await far.kill();
    await until("the loss, with the reason", () =>
      watcher.statuses.slice(before).some(({ state, hint }) => state === "lost" && /nothing listens there/.test(hint)));
    far.begin();
    await until("the port to be open again", () => watcher.statuses.at(-1).state === "open");
    watcher.raw.send("again");
    await until("the board to receive it", () => far.near.received().endsWith("again"));
    far.near.send("and back");
    await until("the watcher to see it", () => String(watcher.bytes).endsWith("and back"));
  });
}

test("a change of the rate is acknowledged by ser2net, shown in the status, and made again after a loss", async (t) => {
  const far = await server(t, "rfc2217");
  const rate = () => execFileSync("stty", ["-F", far.near.path, "speed"], { encoding: "utf8" }).trim();
  const bridge = await start(t, `uno=${far.url}`, "--settle", "0s");
  const watcher = await watch(t, bridge, WebSocket);
  const answers = [];
  watcher.json.on("message", (data) => answers.push(JSON.parse(data)));
  watcher.json.send(JSON.stringify({ type: "settings", baud: 57600, parity: "even", id: 1 }));
  await until("the answer", () => answers.some(({ id }) => id === 1));
  assert.equal(answers.find(({ id }) => id === 1).type, "ack");
  const isSet = () => {
    const { state, settings, detail } = watcher.statuses.at(-1);
    return state === "open" && settings?.baud === 57600 && settings.parity === "even" && /\(57600 baud/.test(detail);
  };
  await until("the status", isSet);
  assert.equal(rate(), "57600");
  await far.kill();
  await until("the loss", () => watcher.statuses.at(-1).state !== "open");
  far.begin();
  await until("the settings to be made again", isSet);
  assert.equal(rate(), "57600");
});
