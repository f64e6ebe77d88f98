// The types of the client library: they have exactly what the messages of the protocol and the answers
// of the program have, and the examples of the documents compile with them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { root, start } from "./support.mjs";

const TSC = join(root, "tests/browser/node_modules/typescript/bin/tsc");

/** A type that only has what is declared by name, all of it, so that a literal must have just that. */
const EXACT = `
type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };
type Exact<T> =
  T extends readonly (infer Item)[] ? Exact<Item>[] :
  T extends object ? (string extends keyof T ? ([keyof Known<T>] extends [never] ? T : Filled<T>) : Filled<T>) :
  T;
type Filled<T> = { [K in keyof Known<T>]-?: Exact<Exclude<Known<T>[K], undefined>> };
`;

/** Compiles files in a folder that knows the library as the package serial-ws. */
function compile(t, files, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-types-"));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(join(root, "tests/browser/node_modules"), join(folder, "node_modules"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["es2023", "dom", "dom.iterable"],
    types: [],
    paths: { "serial-ws": [join(root, "web/serial-ws.d.ts")] },
    ...options,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: Object.keys(files) }));
  const { status, stdout, stderr } = spawnSync(process.execPath, [TSC, "--project", folder], { encoding: "utf8" });
  return { status, errors: stdout + stderr };
}

/** The source of a constant. */
const constant = (type, value, index) => `const ${type.replace(/\W+/g, "_")}_${index}: ${type} = ${JSON.stringify(value)};`;

/** The objects of each type as one, which has each member that one of them has. */
function byType(objects) {
  const types = {};
  for (const object of objects) types[object.type] = { ...types[object.type], ...object };
  return Object.entries(types);
}

const rows = readFileSync(join(root, "tests/messages.jsonl"), "utf8").trim().split("\n").map((row) => JSON.parse(row));
const messages = (from) => rows.filter((row) => row.from === from).map(({ message }) => message);

/** What the program answers about a port whose settings are all fixed, and its client. */
async function answers(t) {
  const { port, url } = await start(t, ["--port", "uno=sim,baud=9600,data-bits=8,parity=none,stop-bits=1,flow-control=none,dtr=on,rts=on"]);
  const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };
  const client = request({ host: "127.0.0.1", port, headers }).end();
  const [, socket] = await once(client, "upgrade");
  t.after(() => socket.destroy());
  const get = async (path) => (await fetch(url + path)).json();
  const [hello, ports, status, clients, devices] = await Promise.all(["/hello", "/api/ports", "/api/status", "/api/clients", "/api/devices"].map(get));
  return { hello, ports, status, clients, devices };
}

test("the types have just the members of all messages", async (t) => {
  const settings = { ...(await answers(t)).ports[0].settings, baudAuto: true, baudDetected: true, recordable: true, poll: "A", every: 50 };
  // A line in a chunk has one of the two.
  const whole = (line) => ({ text: "", bytes: "", ...line });
  const fromServer = messages("serial-ws").map((message) => ({
    ...message,
    ...(message.port && { port: { ...message.port, settings } }),
    ...(Array.isArray(message.lines) && { lines: message.lines.map(whole) }),
  }));
  const fromClient = messages("client");
  const source = [
    'import type { ClientMessage, ServerMessage } from "serial-ws";',
    EXACT,
    "type Of<Union, T> = Extract<Union, { type: T }>;",
    "/** The names of all members that a request of a type may have. */",
    "type Names<T, Union = T> = Union extends unknown ? keyof Union : never;",
    ...byType(fromServer).map(([type, message], index) => constant(`Exact<Of<ServerMessage, "${type}">>`, message, index)),
    constant('Record<ServerMessage["type"], string[]>', Object.fromEntries(byType(fromServer).map(([type, message]) => [type, Object.keys(message)])), 0),
    ...fromClient.map((message, index) => constant("ClientMessage", message, index)),
    ...byType(fromClient).map(([type, message], index) => constant(`Record<Names<Of<ClientMessage, "${type}">>, unknown>`, message, index)),
  ];
  const { status, errors } = compile(t, { "messages.ts": source.join("\n") });
  assert.equal(status, 0, errors);
});

test("the program answers by HTTP what the types have", async (t) => {
  const { hello, ports, status, clients, devices } = await answers(t);
  assert.equal(clients.length, 1);
  const types = { HelloAnswer: hello, "Port[]": ports, ProgramStatus: status, "ConnectedClient[]": clients, "Device[]": devices };
  const source = [
    'import type { ConnectedClient, Device, HelloAnswer, Port, ProgramStatus } from "serial-ws";',
    ...Object.entries(types).map(([type, value], index) => constant(type, value, index)),
  ];
  const { status: code, errors } = compile(t, { "http.ts": source.join("\n") });
  assert.equal(code, 0, errors);
});

/** What surrounds the examples: p5, elements that pages name by their ids, Web Serial, and modules of others. */
const SURROUNDINGS = `
import "serial-ws";
declare global {
  function createCanvas(width: number, height: number): void;
  function background(grey: number): void;
  function circle(x: number, y: number, size: number): void;
  function map(value: number, low: number, high: number, newLow: number, newHigh: number): number;
  const width: number, height: number;
  const reading: HTMLElement, led: HTMLElement, button: HTMLElement, output: HTMLElement;
  interface SerialPort { open(options: { baudRate: number }): Promise<void>; readable: ReadableStream<Uint8Array<ArrayBuffer>> }
  interface Navigator { serial: { requestPort(): Promise<SerialPort> } }
  interface Document { getElementById(id: string): HTMLElement }
  interface Window { SerialWs?: typeof SerialWs }
}
`;

const MODULES = `
declare module "http://localhost:8080/serial-ws.mjs" { export { SerialWs } from "serial-ws"; }
declare module "max-api";
declare const osc: any;
`;

/** The scripts of a document by their language, those in pages too. */
function scripts(path) {
  const document = readFileSync(join(root, path), "utf8");
  const blocks = [...document.matchAll(/^```(js|ts|html)\n([^]*?)^```/gm)];
  return blocks.flatMap(([, language, text]) => {
    const inPage = [...text.matchAll(/<script( type="module")?>\n?([^]*?)<\/script>/g)];
    return language === "html" ? inPage.map(([, , script]) => ["js", script]) : [[language, text]];
  });
}

test("the examples of the documents compile with the types", async (t) => {
  const documents = ["README.md", "PROTOCOL.md", "SECURITY.md", "web/README.md", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
  const files = { "surroundings.d.ts": SURROUNDINGS, "modules.d.ts": MODULES, "serial-ws.d.mts": 'export * from "serial-ws";' };
  for (const path of documents) {
    scripts(path).forEach(([language, text], index) => {
      files[`${path.replace("/", "-")}-${index + 1}.${language}`] = `${text}\nexport {};\n`;
    });
  }
  assert.ok(Object.keys(files).length > 12, String(Object.keys(files)));
  // In JavaScript, neither parameters nor errors have a type that is named.
  const { status, errors } = compile(t, files, { allowJs: true, checkJs: true, noImplicitAny: false, useUnknownInCatchVariables: false, types: ["node"] });
  assert.equal(status, 0, errors);
});

test("the messages in PROTOCOL.md are those of the types", (t) => {
  const document = readFileSync(join(root, "PROTOCOL.md"), "utf8");
  const blocks = [...document.matchAll(/^```json\n([^]*?)^```/gm)].flatMap(([, text]) => text.trim().split("\n"));
  const requests = [...document.matchAll(/^\| `(\{"type":.*?\})` \|/gm)].map(([, text]) => text);
  assert.ok(blocks.length > 20 && requests.length > 10, `${blocks.length} ${requests.length}`);
  const source = [
    'import type { ClientMessage, ServerMessage } from "serial-ws";',
    ...blocks.map((text, index) => constant("ServerMessage | ClientMessage", JSON.parse(text), index)),
    ...requests.map((text, index) => constant("ClientMessage", JSON.parse(text), index)),
  ];
  const { status, errors } = compile(t, { "protocol.ts": source.join("\n") });
  assert.equal(status, 0, errors);
});
