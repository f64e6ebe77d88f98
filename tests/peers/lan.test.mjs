// python-zeroconf finds serial-ws from another computer, and zbar reads the code that it shows at a terminal.
// Each computer is a network namespace.
//
// needs program: python3
// needs program: ip from iproute2
// needs program: script from bsdutils
// needs program: zbarimg from zbar-tools
// needs pip: zeroconf==0.148.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { PROGRAM, folder, until, within } from "./support.mjs";

/** Prints each service that comes and goes, as JSON, a line each. */
const BROWSER = `
import json, sys
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

class Listener(ServiceListener):
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name, 10000)
        text = {key.decode(): value.decode() for key, value in info.properties.items()}
        print(json.dumps({"added": name, "server": info.server, "port": info.port,
                          "addresses": info.parsed_addresses(), "text": text}), flush=True)
    def remove_service(self, zeroconf, kind, name):
        print(json.dumps({"removed": name}), flush=True)
    def update_service(self, zeroconf, kind, name):
        pass

ServiceBrowser(Zeroconf(), "_serial-ws._tcp.local.", Listener())
sys.stdin.read()
`;

/** The level of a block that is drawn: it is light, as terminals are dark. */
const LIGHT = 1;

const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"] });

/** Two computers with a cable between them, as the prefixes of commands; undefined where root is missing. */
function computers(t) {
  const names = ["teacher", "student"].map((name) => `sws-${process.pid}-${name}`);
  try {
    ip("netns", "add", names[0]);
  } catch {
    t.skip("only root can make network namespaces");
    return undefined;
  }
  t.after(() => names.forEach((name) => ip("netns", "delete", name)));
  ip("netns", "add", names[1]);
  ip("link", "add", "wlan0", "netns", names[0], "type", "veth", "peer", "name", "wlan0", "netns", names[1]);
  names.forEach((name, index) => {
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "address", "add", `10.79.0.${index + 1}/24`, "dev", "wlan0");
    ip("-n", name, "link", "set", "wlan0", "up");
    // Multicast needs a route, which a router gives elsewhere.
    ip("-n", name, "route", "add", "default", "dev", "wlan0");
  });
  return names.map((name) => ["netns", "exec", name]);
}

/** Starts serial-ws at a terminal of the teacher, with a home of its own. It ends with the test. */
function teach(t, prefix, ...options) {
  const home = mkdtempSync(join(tmpdir(), "serial-ws-lan-"));
  const command = `${PROGRAM} uno=sim scale=sim --lan --listen 8080 ${options.join(" ")}`;
  const child = spawn("ip", [...prefix, "script", "-qefc", command, "/dev/null"], {
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, COLUMNS: "200" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  let screen = "";
  child.stdout.setEncoding("utf8").on("data", (data) => (screen += data));
  const stop = async () => {
    child.stdin.write("\x03");
    await within("serial-ws to end", ended);
    rmSync(home, { recursive: true, force: true });
  };
  t.after(() => child.kill("SIGKILL"));
  return { stop, screen: () => screen };
}

test("python-zeroconf finds it, with its ports, and sees it go", async (t) => {
  const [teacher, student] = computers(t) ?? [];
  if (!teacher) return;
  const env = { ...process.env, PYTHONPATH: join(folder("lan"), "python") };
  const browser = spawn("ip", [...student, "python3", "-c", BROWSER], { env, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => browser.kill("SIGKILL"));
  const seen = createInterface({ input: browser.stdout })[Symbol.asyncIterator]();
  const next = async (what) => JSON.parse((await within(what, seen.next())).value);

  const program = teach(t, teacher);
  const found = await next("the announcement");
  assert.match(found.added, /^serial-ws on .+\._serial-ws\._tcp\.local\.$/);
  assert.equal(found.port, 8080);
  assert.deepEqual(found.addresses, ["10.79.0.1"]);
  assert.equal(found.text.ports, "uno,scale");
  assert.equal(found.text.path, "/");
  assert.equal(found.text.tls, "0");
  assert.equal(JSON.stringify(found).includes("token="), false, "the token is told to nobody");
  await program.stop();
  assert.deepEqual(await next("the end of the announcement"), { removed: found.added });
});

test("the code on the screen is the address with its token", async (t) => {
  const [teacher] = computers(t) ?? [];
  if (!teacher) return;
  const program = teach(t, teacher);
  const [url] = await until("the address", () => program.screen().match(/http:\/\/10\.79\.0\.1:8080\/\?token=[\w.~-]+/));
  const code = await until("the code", () => picture(program.screen()));
  const place = mkdtempSync(join(tmpdir(), "serial-ws-code-"));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  writeFileSync(join(place, "code.pgm"), code);
  const options = ["--quiet", "--raw", join(place, "code.pgm")];
  const read = execFileSync("zbarimg", options, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  assert.equal(read.trim(), url);
  await program.stop();
});

/** The pixels of a code of half blocks, as a PGM picture; undefined before there is a whole one. */
function picture(screen) {
  const SCALE = 8;
  const MARGIN = 4;
  const rows = screen.replace(/\x1b\[[0-9;]*m/g, "").split(/\r?\n/).filter((row) => /^[ █▀▄]*[█▀▄]{3}[ █▀▄]*$/.test(row));
  const width = Math.max(0, ...rows.map((row) => row.length));
  // A code is square, of two rows a line.
  if (width === 0 || rows.length * 2 < width - 2 * MARGIN) return undefined;
  const halves = { "█": [1, 1], "▀": [1, 0], "▄": [0, 1], " ": [0, 0] };
  const lines = rows.flatMap((row) => [0, 1].map((half) => Array.from(row.padEnd(width), (block) => halves[block][half])));
  const ring = Array(MARGIN).fill(LIGHT);
  const whole = [...Array(MARGIN).fill([]), ...lines, ...Array(MARGIN).fill([])].map((line) =>
    [...ring, ...line, ...Array(width - line.length).fill(LIGHT), ...ring]);
  const pixels = whole.flatMap((line) => Array(SCALE).fill(line.flatMap((level) => Array(SCALE).fill(level * 255))));
  const header = `P5 ${(width + 2 * MARGIN) * SCALE} ${whole.length * SCALE} 255\n`;
  return Buffer.concat([Buffer.from(header), Buffer.from(pixels.flat())]);
}
