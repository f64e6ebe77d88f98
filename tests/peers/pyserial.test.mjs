// pyserial by `socket://`, `rfc2217://` and a pseudo-terminal at the outputs of serial-ws, while a WebSocket client watches.
//
// needs program: python3
// needs program: cc from gcc
// needs pip: pyserial==3.5
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { board, folder as temporary } from "./documents.mjs";
import { allBytes, folder, freePort, load, startWithLines, until, watch, within } from "./support.mjs";

const { WebSocket } = load("pyserial", "ws");

/** Evaluates or executes each line of its input, and prints the result. */
const INTERPRETER = `
import json, sys, serial
for line in sys.stdin:
    code = json.loads(line)
    try:
        result = None
        try:
            result = eval(code)
        except SyntaxError:
            exec(code)
        print(json.dumps(list(result) if isinstance(result, bytes) else result), flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
`;

/** Starts Python. It carries out a statement or an expression at a time, and ends with the test. */
function python(t) {
  const env = { ...process.env, PYTHONPATH: join(folder("pyserial"), "python") };
  const child = spawn("python3", ["-c", INTERPRETER], { env, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (code) => {
    child.stdin.write(`${JSON.stringify(code)}\n`);
    const answer = JSON.parse((await within(code, answers.next())).value);
    assert.equal(answer?.error, undefined, code);
    return answer;
  };
}

/** A board at serial-ws with an output, a client that watches, and pyserial with the output open as `port`. */
async function opened(t, output, options = [], open = "") {
  const near = await board(t);
  const place = output === "pty" ? join(temporary(t), "board") : await freePort();
  const bridge = await startWithLines(t, `uno=${near.path}`, `--${output}`, String(place), ...options);
  const watcher = await watch(t, bridge, WebSocket);
  const run = python(t);
  const url = { tcp: `socket://127.0.0.1:${place}`, rfc2217: `rfc2217://127.0.0.1:${place}`, pty: place }[output];
  await run(`port = serial.serial_for_url("${url}"${open}, timeout=20)`);
  const status = () => watcher.statuses.at(-1);
  return { near, bridge, watcher, run, status };
}

for (const output of ["tcp", "rfc2217", "pty"]) {
  test(`16 KiB of all byte values pass unchanged both ways by --${output}, and a page sees them`, async (t) => {
    const { near, watcher, run } = await opened(t, output);
    await run("port.write(bytes(range(256)) * 64)");
    await until("the board to receive all", () => near.received().length >= allBytes.length);
    assert.ok(Buffer.from(near.received(), "latin1").equals(allBytes), "what the board received");
    near.send(allBytes);
    assert.ok(Buffer.from(await run("port.read(16384)")).equals(allBytes), "what pyserial read");
    await until("the watcher to see all", () => watcher.bytes.length >= allBytes.length);
    assert.ok(watcher.bytes.equals(allBytes), "what the watcher saw");
    assert.deepEqual(watcher.statuses.filter(({ writer }) => writer), [], "nobody needed the write lock");
  });
}

for (const [kind, options] of [["fixed", ["--baud", "9600"]], ["chosen by serial-ws", []]]) {
  test(`by a pseudo-terminal, a rate that is ${kind} is raised under the write lock, and returns`, async (t) => {
    const { near, run, status } = await opened(t, "pty", options);
    await run("port.baudrate = 115200");
    await run(`port.write(b"fast")`);
    await until("the board to receive it", () => near.received() === "fast");
    assert.equal(status().settings.baud, 115200);
    assert.match(status().writer.name, /^pty \/.*\/board$/);
    await run("port.stopbits = 2");
    await until("two stop bits", () => status().settings.stopBits === 2);
    await run("port.close()");
    await until("the settings to return", () => {
      const { settings, writer } = status();
      return !writer && settings.baud === 9600 && settings.stopBits === 1;
    });
  });
}

for (const [kind, options, rate] of [["fixed", ["--baud", "9600"], 9600], ["chosen by serial-ws", [], 9600]]) {
  test(`a rate that is ${kind} is raised under the write lock, and returns`, async (t) => {
    const { near, watcher, run, status } = await opened(t, "rfc2217", options);
    assert.equal(status().settings.baud, rate);
    await run("port.baudrate = 115200");
    assert.equal(status().settings.baud, 115200);
    assert.match(status().writer.name, /^rfc2217 127\.0\.0\.1:\d+$/);
    watcher.json.send(JSON.stringify({ type: "write", text: "x", id: 1 }));
    await run(`port.write(b"fast")`);
    await until("the board to receive it", () => near.received() === "fast");
    await run(`setattr(port, "parity", "E")`);
    assert.equal(status().settings.parity, "even");
    await run("port.close()");
    await until("the settings to return", () => {
      const { settings, writer } = status();
      return !writer && settings.baud === rate && settings.parity === "none";
    });
    watcher.json.send(JSON.stringify({ type: "write", text: "!", id: 2 }));
    await until("others to write again", () => near.received() === "fast!");
  });
}

test("what is in force anyway needs no write lock", async (t) => {
  const { run, watcher } = await opened(t, "rfc2217", ["--baud", "115200"], ", baudrate=115200");
  await run("port.baudrate = 115200");
  await run("port.dtr = True");
  assert.equal(await run("port.baudrate"), 115200);
  assert.deepEqual(watcher.statuses.filter(({ writer }) => writer), []);
});

test("breaks and modem lines reach the device in order, and CTS and its kin reach pyserial", async (t) => {
  const { bridge, run, status } = await opened(t, "rfc2217");
  assert.deepEqual(bridge.changed(), ["dtr 1", "rts 1"]);
  await run("port.dtr = False");
  await run("port.rts = False");
  await run("port.rts = True");
  await run("port.break_condition = True");
  await run("port.break_condition = False");
  await run("port.send_break(0.01)");
  const expected = ["dtr 0", "rts 0", "rts 1", "break 1", "break 0", "break 1", "break 0"];
  assert.deepEqual(bridge.changed().slice(2), expected);
  assert.equal(await run("[port.cts, port.dsr, port.cd, port.ri]").then(String), "false,false,false,false");
  for (const [at, name] of [[3, "cts"], [4, "dsr"], [5, "cd"]]) {
    for (const level of [1, 0]) {
      bridge.set(at, level);
      await until(`${name} to be ${level}`, async () => await run(`port.${name}`) === (level === 1));
    }
  }
  await run("port.close()");
  await until("the lines to return", () => bridge.changed().at(-1) === "dtr 1" && !status().writer);
  assert.deepEqual(bridge.changed().slice(2 + expected.length), ["dtr 1"]);
});
