// The package for PyPI: the wheel, in an empty environment, with the program and the module serial_ws.
//
// needs program: python3
// needs pip: websockets==17.4
// needs pip: hatchling==1.33.0
// needs pip: mypy==2.4.1
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";

import { board, check, examples, folder as temporary, opened, run } from "./documents.mjs";
import { archive } from "./packages.mjs";
import { PROGRAM, folder, root, start, until } from "./support.mjs";

/** What pip installed for this test, found also by the environment that has only the wheel. */
const env = { ...process.env, PYTHONPATH: join(folder("python-package"), "python"), PYTHONUNBUFFERED: "1" };

const PROGRAMS = join(root, "tests/peers/python-package");

let environment;
before((t) => {
  const made = archive(t);
  execFileSync(join(root, "packaging/wheels.sh"), [made], { env, stdio: ["ignore", "ignore", "inherit"] });
  const wheels = readdirSync(made).filter((name) => name.endsWith(".whl"));
  assert.equal(wheels.length, 1, wheels.join());
  environment = temporary(t);
  execFileSync("python3", ["-m", "venv", environment]);
  execFileSync(join(environment, "bin/pip"), ["install", "--quiet", "--no-index", "--no-deps", join(made, wheels[0])]);
});

const python = () => join(environment, "bin/python");

/** Starts one of the programs in the folder of this test. */
const client = (t, program, ...words) => {
  const started = run(t, python(), [join(PROGRAMS, program), ...words], { env });
  /** Waits for a line of it. */
  started.seen = (what) => until(`the client to print ${what}`, () => {
    assert.ok(started.child.exitCode === null || started.child.exitCode === 0, started.printed());
    return started.printed().includes(`${what}\n`);
  });
  /** Waits until it has ended well. */
  started.ended = async () => {
    await until("the client to end", () => started.child.exitCode !== null || started.child.signalCode !== null);
    assert.equal(started.child.exitCode, 0, started.printed());
  };
  return started;
};

/** Sends lines that are counted. */
const count = (near, from, to) => {
  let text = "";
  for (let number = from; number <= to; number++) text += `count ${number} end\n`;
  near.send(text);
};

/** Waits until serial-ws has read so many lines. */
const read = (bridge, lines) => until("the lines to be read", async () => {
  const { ports: [port] } = await (await fetch(`http://127.0.0.1:${bridge.port}/api/status`)).json();
  return port.lines === lines;
});

/** A TCP port in front of another one. All connections are cut where it has passed on so many bytes, and by `hold`. */
async function relay(t, port, ...cuts) {
  const sockets = new Set();
  let isHeld = false;
  let accepted = 0;
  let passed = 0;
  const server = createServer((near) => {
    if (isHeld) return near.destroy();
    accepted++;
    const far = connect(port, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket) && other.destroy());
      socket.pipe(other);
    }
    far.on("data", (data) => {
      passed += data.length;
      if (cuts.length === 0 || passed < cuts[0]) return;
      cuts.shift();
      cut();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => sockets.forEach((socket) => socket.destroy());
  /** Ends all connections, and new ones at once until `release`. */
  const hold = () => {
    isHeld = true;
    cut();
  };
  t.after(() => {
    server.close();
    cut();
  });
  return { url: `ws://127.0.0.1:${server.address().port}`, hold, release: () => { isHeld = false; }, accepted: () => accepted };
}

test("the wheel has the program", () => {
  const version = execFileSync(join(environment, "bin/serial-ws"), ["--version"], { encoding: "utf8" });
  assert.match(version, /^serial-ws \d+\.\d+\.\d+\ncommit: /);
});

for (const how of ["with", "async with"]) {
  test(`${how}: no line of 100,000 is lost or doubled by cuts and a restart`, async (t) => {
    const near = await board(t);
    const begin = (port) => start(t, `uno=${near.path}`, "--listen", `127.0.0.1:${port}`, "--history", "64MiB");
    let bridge = await begin(0);
    await opened(bridge);
    // A line takes 75 bytes or so: in the middle of either half.
    const { url, accepted } = await relay(t, bridge.port, 1.5e6, 5.5e6);
    const { printed, seen } = client(t, "count.py", url, how);
    await until("the client to connect", async () => {
      const answer = await (await fetch(`http://127.0.0.1:${bridge.port}/api/status`)).json();
      return answer.clients > 0;
    });
    count(near, 1, 50000);
    await seen("at 50000");
    await bridge.kill();
    bridge = await begin(bridge.port);
    await opened(bridge);
    count(near, 50001, 100000);
    await seen("done");
    assert.ok(accepted() >= 4, `${accepted()} connections are fewer than after two cuts and a restart`);
    assert.deepEqual(printed().match(/^missed .*/gm), ["missed None"], "only the restart may have lost something");
  });
}

test("what falls out of history is counted exactly", async (t) => {
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`, "--history", "16KiB");
  await opened(bridge);
  const { url, hold, release } = await relay(t, bridge.port);
  const { printed, seen } = client(t, "missed.py", url);
  await seen("connected");
  count(near, 1, 10);
  await seen("at 10");
  hold();
  count(near, 11, 2000);
  await read(bridge, 2000);
  release();
  await seen("at 2000");
  assert.ok(!printed().includes("at 1000\n"), "the oldest ones were dropped by serial-ws");
});

test("a program writes, asks and changes settings", async (t) => {
  const { url } = await start(t, "echo=loop", "--append", "none");
  await client(t, "verbs.py", url).ended();
});

test("a program that only asks is told which lines it left unread", async (t) => {
  const near = await board(t);
  const bridge = await start(t, `uno=${near.path}`);
  await opened(bridge);
  const file = join(temporary(t), "all-sent");
  const { seen, ended } = client(t, "unread.py", bridge.url, file);
  await seen("connected");
  count(near, 1, 60000);
  await read(bridge, 60000);
  writeFileSync(file, "");
  await ended();
});

test("an address that is wrong is told at once", async (t) => {
  const { url } = await start(t, "sim");
  await client(t, "addresses.py", url).ended();
});

test("a program shows its token, and trusts a certificate by its fingerprint alone", async (t) => {
  const home = temporary(t);
  const token = "long-enough-for-a-token";
  const variables = { HOME: home, XDG_STATE_HOME: home, XDG_CONFIG_HOME: home, SERIAL_WS_TOKEN: token };
  const before = { ...process.env };
  t.after(() => Object.keys(variables).forEach((name) => {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }));
  Object.assign(process.env, variables);
  const bridge = await start(t, "sim", "--tls", "self-signed");
  const shown = execFileSync(PROGRAM, ["tls"], { encoding: "utf8", env: process.env });
  const [fingerprint] = shown.match(/(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/);
  await client(t, "trust.py", bridge.url.replace("ws:", "wss:"), token, fingerprint).ended();
});

test("mypy accepts the module and the examples strictly", (t) => {
  const here = temporary(t);
  examples("docs/other-languages.md", "Python", "python")
    .filter((example) => example.includes("serial_ws"))
    .forEach((example, index) => writeFileSync(join(here, `example_${index}.py`), example));
  const site = execFileSync(python(), ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], { encoding: "utf8" }).trim();
  const checked = spawnSync("python3", ["-m", "mypy", "--strict", "--python-executable", python(), here, PROGRAMS, join(site, "serial_ws")], { env, encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  assert.match(checked.stdout, /no issues found in \d\d source files/);
});

for (const [index, how] of ["blocking", "asyncio"].entries()) {
  test(`the ${how} example of the documents runs as pasted`, async (t) => {
    const found = examples("docs/other-languages.md", "Python", "python").filter((text) => text.includes("serial_ws"));
    await check(t, found[index], "lines.py", (path) => [python(), path], { env });
  });
}
