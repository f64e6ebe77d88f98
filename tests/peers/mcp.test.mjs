// The official MCP clients, for Python and for TypeScript, as the programs of coding agents: they start
// `serial-ws mcp` themselves, and check each answer by the schema of its tool.
//
// needs program: python3
// needs pip: mcp==2.3.0
// needs npm: @modelcontextprotocol/client@2.4.0
// needs npm: @modelcontextprotocol/sdk@1.32.2
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { board } from "./documents.mjs";
import { PROGRAM, folder, load, start, within } from "./support.mjs";

const TOOLS = ["status", "devices", "read", "ask", "write", "reset", "release", "resume", "settings", "lock"];
const INFO = { name: "peer", version: "1" };

/** The SDK of version 1, which begins with `initialize`, and that of version 2, which needs no greeting. */
const CLIENTS = {
  "the TypeScript SDK, version 1": () => {
    const { Client } = load("mcp", "@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = load("mcp", "@modelcontextprotocol/sdk/client/stdio.js");
    const client = new Client(INFO);
    return { client, StdioClientTransport, call: (request, options) => client.callTool(request, undefined, options) };
  },
  "the TypeScript SDK, version 2, with the newest revision": () => {
    const { Client } = load("mcp", "@modelcontextprotocol/client");
    const { StdioClientTransport } = load("mcp", "@modelcontextprotocol/client/stdio");
    const client = new Client(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
    return { client, StdioClientTransport, call: (request, options) => client.callTool(request, options) };
  },
};

for (const [name, make] of Object.entries(CLIENTS)) {
  test(`${name} lists the tools and calls them`, async (t) => {
    const near = await board(t);
    const bridge = await start(t, `uno=${near.path}`);
    const { client, StdioClientTransport, call } = make();
    const url = `http://127.0.0.1:${bridge.port}`;
    const args = ["mcp", "--write", "--url", url];
    await client.connect(new StdioClientTransport({ command: PROGRAM, args, stderr: "inherit" }));
    t.after(() => client.close());
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), TOOLS);
    const answer = async (tool, given = {}, options = {}) => {
      const result = await within(tool, call({ name: tool, arguments: given }, options));
      assert.ok(!result.isError, JSON.stringify(result));
      assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
      return result.structuredContent;
    };

    const status = await answer("status");
    assert.equal(status.port, "uno");
    await answer("devices");
    near.send("\n512,300,1\r\n");
    const read = await answer("read", { since: status.next, until: "^512" });
    assert.equal(read.text.split("\n").at(-1), "512,300,1");
    await answer("write", { text: "H" });
    assert.equal((await answer("settings", { baud: 115200 })).settings.baud, 115200);
    assert.equal((await answer("release", { seconds: 60 })).state, "released");
    assert.equal((await answer("resume")).state, "open");
    await answer("lock", { on: true });
    await answer("lock", { on: false });

    const wrong = await call({ name: "read", arguments: { timeout: "5s" } });
    assert.equal(wrong.isError, true);
    assert.match(JSON.parse(wrong.content[0].text).text, /expected a number from 0 to 300/);

    // A wait that takes longer than the client waits without a notice.
    const notices = [];
    const patient = { timeout: 3000, resetTimeoutOnProgress: true, onprogress: (notice) => notices.push(notice) };
    const waited = await answer("read", { until: "never", timeout: 5 }, patient);
    assert.equal(waited.ended, "timeout");
    assert.ok(notices.length >= 2, JSON.stringify(notices));

    const stop = new AbortController();
    const wait = call({ name: "read", arguments: { until: "never", timeout: 300 } }, { signal: stop.signal });
    stop.abort();
    await assert.rejects(within("the wait to be cancelled", wait));
    await answer("status");
  });
}

const SCRIPT = `
import asyncio, json, sys
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(program, url, mode):
    server = StdioServerParameters(command=program, args=["mcp", "--write", "--url", url])
    async with Client(stdio_client(server), mode=mode) as client:
        tools = await client.list_tools()
        print(json.dumps([tool.name for tool in tools.tools]))
        notices = []
        async def notice(progress, total, message):
            notices.append(progress)
        for name, given in json.loads(sys.stdin.read()):
            result = await client.call_tool(name, given, progress_callback=notice)
            print(json.dumps([result.is_error, result.structured_content or json.loads(result.content[0].text)]))
        print(len(notices))

asyncio.run(main(*sys.argv[1:]))
`;

for (const mode of ["legacy", "2026-07-28"]) {
  test(`the Python SDK lists the tools and calls them, in its mode ${mode}`, async (t) => {
    const near = await board(t);
    const bridge = await start(t, `uno=${near.path}`);
    const env = { ...process.env, PYTHONPATH: join(folder("mcp"), "python") };
    const url = `http://127.0.0.1:${bridge.port}`;
    const python = promisify(execFile)("python3", ["-c", SCRIPT, PROGRAM, url, mode], { env });
    const calls = [
      ["status", {}],
      ["write", { text: "H" }],
      ["settings", { baud: 115200 }],
      ["read", { until: "never", timeout: 3 }],
      ["read", { timeout: "5s" }],
    ];
    python.child.stdin.end(JSON.stringify(calls));
    const { stdout } = await within("Python to end", python);
    const [tools, status, write, settings, read, wrong, notices] = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(tools, TOOLS);
    assert.deepEqual([status, write, settings, read, wrong].map(([isError]) => isError), [false, false, false, false, true]);
    assert.equal(status[1].port, "uno");
    assert.equal(settings[1].settings.baud, 115200);
    assert.equal(read[1].ended, "timeout");
    assert.match(wrong[1].text, /expected a number from 0 to 300/);
    assert.ok(notices >= 1, "it is told that a wait goes on");
    assert.match(near.received(), /^H\n/);
  });
}
