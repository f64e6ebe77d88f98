// Python's requests, as a script that reads and writes without a WebSocket.
//
// needs pip: requests==2.34.2
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

import { spawn } from "../spawn.mjs";
import { folder, start, until, within } from "./support.mjs";

/** Writes five lines, and reads them back: the first three, and the rest by another connection. */
const SCRIPT = `
import itertools, json, sys
import requests

port = sys.argv[1] + "/api/ports/echo"
ndjson = {"Accept": "application/x-ndjson"}

def objects(stream):
    return (json.loads(line) for line in stream.iter_lines() if line)

def lines(objects, count):
    found = (object for object in objects if object["type"] == "line")
    return list(itertools.islice(found, count))

def write(text):
    answer = requests.post(port + "/write", params={"append": "lf"}, data=text, timeout=20)
    answer.raise_for_status()
    return answer.json()["bytes"]

with requests.get(port + "/lines", headers=ndjson, stream=True, timeout=20) as stream:
    read = objects(stream)
    hello = next(read)
    written = [write(f"line {number}") for number in range(5)]
    first = lines(read, 3)
since = f"{hello['run']}:{first[-1]['seq']}"
with requests.get(port + "/lines", params={"since": since}, headers=ndjson, stream=True, timeout=20) as stream:
    rest = lines(objects(stream), 2)
refused = requests.post(port + "/write", data="x" * 65537, timeout=20)
print(json.dumps({"written": written, "lines": [line["text"] for line in first + rest], "refused": refused.status_code}))
`;

test("a script reads, writes, and resumes where it stopped", async (t) => {
  const { port } = await start(t, "--port", "echo=loop");
  await until("the port to be open", async () => {
    const status = await (await fetch(`http://127.0.0.1:${port}/api/status`)).json();
    return status.ports[0].status.state === "open";
  });
  const env = { ...process.env, PYTHONPATH: join(folder("requests"), "python") };
  const stdio = ["ignore", "pipe", "inherit"];
  const script = spawn("python3", ["-c", SCRIPT, `http://127.0.0.1:${port}`], { env, stdio });
  t.after(() => script.kill());
  let said = "";
  script.stdout.setEncoding("utf8").on("data", (data) => (said += data));
  const [code] = await within("the end of the script", once(script, "close"));
  assert.equal(code, 0);
  const lines = Array.from({ length: 5 }, (_, number) => `line ${number}`);
  assert.deepEqual(JSON.parse(said), { written: [7, 7, 7, 7, 7], lines, refused: 413 });
});
