// HTTP for scripts in a real browser: EventSource, fetch, and the address of a port.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { board, open, proxy, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** Opens a page of another server of this computer, which follows the lines of `uno` by EventSource. */
async function follow(t, url) {
  const page = await open(t, `${await serve(t, root)}/README.md`);
  await page.evaluate((url) => {
    window.seen = { lines: [], ids: [], named: [] };
    window.source = new EventSource(`${url}/api/ports/uno/lines`);
    window.source.onmessage = ({ data, lastEventId }) => {
      window.seen.lines.push(data);
      window.seen.ids.push(lastEventId);
    };
    for (const name of ["hello", "missed", "status", "closed"]) {
      window.source.addEventListener(name, (event) => window.seen.named.push([name, JSON.parse(event.data)]));
    }
  }, url);
  const seen = () => page.evaluate(() => window.seen);
  const named = async (name) => (await seen()).named.filter(([kind]) => kind === name).map(([, object]) => object);
  await until("the greeting", async () => (await named("hello")).length === 1);
  return { page, seen, named };
}

test("EventSource resumes without a lost or doubled line when its connection is cut", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const way = await proxy(t, bridge.port);
  const { seen, named } = await follow(t, way.url);
  await uno.send("\n");
  await until("the first line", async () => (await seen()).lines.length === 1);
  const expected = [...(await seen()).lines];
  for (let round = 1; round <= 3; round++) {
    const sent = Array.from({ length: 50 }, (_, index) => `${round} ${index}`);
    expected.push(...sent);
    await uno.send(sent.slice(0, 20).join("\n") + "\n");
    way.cut();
    await uno.send(sent.slice(20).join("\n") + "\n");
    way.restore();
    await until("all lines", async () => (await seen()).lines.length >= expected.length);
    assert.deepEqual((await seen()).lines, expected);
  }
  assert.equal((await named("hello")).length, 4);
  assert.deepEqual(await named("missed"), []);
  const { ids } = await seen();
  const [{ run }] = await named("hello");
  const first = Number(ids[0].split(":")[1]);
  assert.deepEqual(ids, ids.map((_, index) => `${run}:${first + index}`));
});

test("EventSource learns that serial-ws has restarted, and gets all that the new run has kept", async (t) => {
  const uno = await board(t);
  const args = ["--port", `uno=${uno.path}`];
  const bridge = await start(t, args);
  const { seen, named } = await follow(t, bridge.url);
  await uno.send("\nbefore\n");
  await until("a line", async () => (await seen()).lines.includes("before"));
  await bridge.stop();
  await start(t, args, bridge.port);
  await until("the greeting of the new run", async () => (await named("hello")).length === 2);
  const [old, now] = await named("hello");
  assert.notEqual(old.run, now.run);
  assert.equal((await named("closed"))[0].code, 1001);
  await until("the notice", async () => (await named("missed")).length === 1);
  await uno.send("\nafter\n");
  await until("a line of the new run", async () => (await seen()).lines.includes("after"));
  assert.equal((await seen()).lines.filter((line) => line === "before").length, 1);
});

test("a page of another origin writes, though the browser asks first", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, `${await serve(t, root)}/README.md`);
  const answer = await page.evaluate(async (url) => {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch(url, { method: "POST", headers, body: new Uint8Array([71, 10]) });
    return response.json();
  }, `${bridge.url}/api/ports/uno/write`);
  assert.deepEqual(answer, { bytes: 2 });
  await until("the board to get it", () => uno.received === "G\n");
});

test("the address of a port leads to the page with this port", async (t) => {
  const bridge = await start(t, ["--port", "one=sim", "--port", "two=loop"]);
  const page = await open(t, `${bridge.url}/ports/two`);
  assert.equal(page.url(), `${bridge.url}/_serial-ws/?port=two`);
  await until("the port to be chosen", () => page.evaluate(() => document.querySelector("#port")?.value?.includes("two")));
});
