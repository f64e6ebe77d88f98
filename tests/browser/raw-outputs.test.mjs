// What a page in a real browser can send to the raw TCP ports of --tcp and --rfc2217: nothing that reaches the device.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, test } from "node:test";

import { board, open, quit, root, serve, start, until } from "./support.mjs";

after(quit);

/** Agrees to speak RFC 2217 (IAC WILL COM-PORT-OPTION, IAC DO COM-PORT-OPTION). */
const AGREE = "\xff\xfb\x2c\xff\xfd\x2c";

/** Returns a TCP port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Passes connections on to a TCP port, and keeps what each began with: what the browser really sent. */
async function recorder(t, port) {
  const begun = [];
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      socket.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    near.once("data", (data) => begun.push(data.toString("latin1")));
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { port: server.address().port, begun };
}

/** What pages can try at an address, each with how it begins on the wire. */
const ATTEMPTS = {
  "fetch": [/^GET /, ({ at }) => { void fetch(`http://${at}/G28`, { mode: "no-cors" }).catch(() => {}); }],
  "fetch with bytes as its body": [/^POST /, ({ at, bytes }) => {
    const body = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
    void fetch(`http://${at}/`, { method: "POST", mode: "no-cors", body }).catch(() => {});
  }],
  "a form": [/^POST /, ({ at }) => submit(at, "application/x-www-form-urlencoded")],
  "a form of plain text": [/^POST /, ({ at }) => submit(at, "text/plain")],
  "a form with a file": [/^POST /, ({ at }) => submit(at, "multipart/form-data")],
  "an image": [/^GET /, ({ at }) => { new Image().src = `http://${at}/G28`; }],
  "a beacon": [/^POST /, ({ at, bytes }) => { navigator.sendBeacon(`http://${at}/`, bytes); }],
  "a WebSocket": [/^GET /, ({ at }) => { new WebSocket(`ws://${at}/G28`); }],
  "TLS": [/^\x16\x03/, ({ at }) => { void fetch(`https://${at}/`, { mode: "no-cors" }).catch(() => {}); }],
  "a WebSocket by TLS": [/^\x16\x03/, ({ at }) => { new WebSocket(`wss://${at}/G28`); }],
  "WebRTC, by a TURN server whose user name it chooses": [/^\x00\x03..\x21\x12\xa4\x42/s, ({ at }) => turn(`turn:${at}?transport=tcp`)],
  "WebRTC by TLS": [/^\x16\x03/, ({ at }) => turn(`turns:${at}?transport=tcp`)],
};

for (const output of ["tcp", "rfc2217"]) {
  test(`not one byte of what a page sends to --${output} reaches the device`, async (t) => {
    const uno = await board(t);
    const port = await freePort();
    const bridge = await start(t, ["--port", `uno=${uno.path}`, `--${output}`, String(port), "--settle", "0s"]);
    const { port: recorded, begun } = await recorder(t, port);
    const page = await open(t, `${await serve(t, root)}/web/plain/chat.html`);
    await page.evaluate(() => {
      window.submit = (at, kind) => {
        const frame = Object.assign(document.createElement("iframe"), { name: `frame${Math.random()}` });
        const form = Object.assign(document.createElement("form"), { action: `http://${at}/`, method: "post", enctype: kind, target: frame.name });
        form.append(Object.assign(document.createElement("input"), { name: "G28", value: "G28\r\nG28\r\n" }));
        document.body.append(frame, form);
        form.submit();
      };
      window.turn = (urls) => {
        const peer = new RTCPeerConnection({ iceServers: [{ urls, username: "G28\r\nG28", credential: "x" }] });
        peer.createDataChannel("G28");
        void peer.setLocalDescription();
      };
    });
    for (const [name, [beginning, attempt]] of Object.entries(ATTEMPTS)) {
      const before = begun.length;
      await page.evaluate(`(${attempt})(${JSON.stringify({ at: `127.0.0.1:${recorded}`, bytes: `${AGREE}G28\r\n` })})`);
      await until(`${name} to arrive`, () => begun.slice(before).some((data) => beginning.test(data)));
    }
    for (const what of ["an HTTP request", "a TLS handshake", "a STUN request"]) {
      await until(`${what} to be refused`, () => bridge.log().includes(`it began with ${what}, as a browser does`));
    }
    // A program that means the device is understood, and is the first that is.
    const program = connect(port, "127.0.0.1");
    t.after(() => program.destroy());
    program.write(Buffer.from(`${output === "rfc2217" ? AGREE : ""}M105 hello\n`, "latin1"));
    await until("a program to write", () => uno.received.endsWith("hello\n"));
    assert.equal(uno.received, "M105 hello\n");
  });
}
