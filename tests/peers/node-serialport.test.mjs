// The parsers of node-serialport beside the framings of serial-ws: the same bytes, in the same 10,000 pieces, give
// the same frames. Where they differ, the test says why.
//
// needs npm: @serialport/parser-byte-length@13.0.0
// needs npm: @serialport/parser-delimiter@13.0.0
// needs npm: @serialport/parser-inter-byte-timeout@13.0.0
// needs npm: @serialport/parser-packet-length@13.0.0
// needs npm: @serialport/parser-readline@13.0.0
// needs npm: @serialport/parser-slip-encoder@13.0.0
// needs npm: ws@8.23.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { load, start, until } from "./support.mjs";

const theirs = (name) => load("node-serialport", `@serialport/parser-${name}`);
const WebSocket = load("node-serialport", "ws");
const CUTS = 10000;

/** A generator of whole numbers below a limit, the same for each run, so that a failure can be repeated. */
function numbers(seed) {
  let state = seed;
  return (limit) => {
    // The one of Numerical Recipes; its upper bits are random enough.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
}

/** Random bytes, of which half are these. */
function bytes(random, length, frequent) {
  return Buffer.from(Array.from({ length }, () => (random(2) ? frequent[random(frequent.length)] : random(256))));
}

/** Cuts a stream at so many random places. */
function pieces(random, stream) {
  const cuts = Array.from({ length: CUTS }, () => random(stream.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((cut, index) => stream.subarray(cut, cuts[index] ?? stream.length));
}

/** The frames that a parser makes of these pieces. What it has not ended is none. */
async function parsed(parser, pieces) {
  const frames = [];
  parser.on("data", (frame) => frames.push(Buffer.from(frame)));
  for (const piece of pieces) if (piece.length > 0 && !parser.write(piece)) await once(parser, "drain");
  return frames;
}

/** A device that sends what it is sent, with this framing, and a client of its frames. */
async function board(t, framing) {
  const bridge = await start(t, "--port", "loop", "--frame", framing);
  const connect = async (view) => {
    const socket = new WebSocket(`${bridge.url.replace("http", "ws")}/?view=${view}`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    return socket;
  };
  const [reader, writer] = [await connect("frames"), await connect("raw")];
  const frames = [];
  reader.on("message", (frame) => frames.push(frame));
  return { frames, send: (piece) => writer.send(piece) };
}

/** Checks that serial-ws makes these frames of these pieces. */
async function check(t, framing, pieces, expected) {
  assert.ok(expected.length > 100 || pieces.length < CUTS, `${expected.length} frames tell little`);
  const { frames, send } = await board(t, framing);
  for (const piece of pieces) if (piece.length > 0) send(piece);
  await until(`${expected.length} frames`, () => frames.length >= expected.length);
  const at = frames.findIndex((frame, index) => !frame.equals(expected[index] ?? Buffer.from("nothing")));
  assert.equal(at, -1, `frame ${at} is ${frames[at]?.toString("hex")}, not ${expected[at]?.toString("hex")}`);
}

test("a number of bytes is the same for both", async (t) => {
  const random = numbers(1);
  const cut = pieces(random, bytes(random, 48000, [0]));
  const { ByteLengthParser } = theirs("byte-length");
  await check(t, "len:12", cut, await parsed(new ByteLengthParser({ length: 12, readableObjectMode: true }), cut));
});

test("a delimiter is the same for both", async (t) => {
  const random = numbers(2);
  const cut = pieces(random, bytes(random, 40000, [0x0d, 0x0a]));
  const { DelimiterParser } = theirs("delimiter");
  await check(t, "crlf", cut, await parsed(new DelimiterParser({ delimiter: "\r\n", readableObjectMode: true }), cut));
});

test("a line is the same but for carriage returns beside its line feed", async (t) => {
  const random = numbers(3);
  const cut = pieces(random, bytes(random, 40000, [0x0d, 0x0a, 0x61]));
  const { ReadlineParser } = theirs("readline");
  const parser = new ReadlineParser({ encoding: "latin1", readableObjectMode: true });
  const lines = [];
  parser.on("data", (line) => lines.push(line));
  for (const piece of cut) if (piece.length > 0) parser.write(piece);
  // Boards end lines with LF, CR LF, LF CR or CR CR LF. serial-ws takes all of it for the line end; ReadlineParser,
  // whose delimiter is a line feed, leaves the carriage returns in the lines.
  const expected = lines.map((line, index) => (index > 0 ? line.replace(/^\r+/, "") : line).replace(/\r+$/, ""));
  await check(t, "lf", cut, expected.map((line) => Buffer.from(line, "latin1")));
});

test("SLIP of their encoder is the same for both", async (t) => {
  const random = numbers(4);
  const { SlipDecoder, SlipEncoder } = theirs("slip-encoder");
  const encoded = [];
  for (const bluetoothQuirk of [false, true]) {
    const encoder = new SlipEncoder({ bluetoothQuirk });
    encoder.on("data", (data) => encoded.push(data));
    for (let count = 0; count < 400; count++) encoder.write(bytes(random, 1 + random(80), [0xc0, 0xdb, 0xdc, 0xdd]));
    await until("the frames", () => encoded.length === (bluetoothQuirk ? 800 : 400));
  }
  const cut = pieces(random, Buffer.concat(encoded));
  const frames = await parsed(new SlipDecoder({ readableObjectMode: true }), cut);
  // With an END on both sides there is nothing between two frames. RFC 1055 drops such a frame, and serial-ws does.
  assert.equal(frames.filter((frame) => frame.length === 0).length, 400);
  await check(t, "slip", cut, frames.filter((frame) => frame.length > 0));
});

test("a wrong escape of SLIP spoils one frame, and not the one after it", async (t) => {
  const { SlipDecoder } = theirs("slip-encoder");
  const stream = [Buffer.from("61c062dbc063c064db65c066c0", "hex")];
  const decoded = await parsed(new SlipDecoder({ readableObjectMode: true }), stream);
  // SlipDecoder takes the END after an escape for data, and ends a frame at a wrong escape: parts of frames look
  // like whole ones. For serial-ws these frames are damaged, so view=frames leaves them out.
  assert.deepEqual(decoded.map(String), ["a", "b", "\ufffdc", "d", "e", "f"]);
  await check(t, "slip", stream, ["a", "c", "f"].map((text) => Buffer.from(text)));
});

/** A packet with its length after the byte aa. */
const packet = (data) => Buffer.concat([Buffer.from([0xaa, data.length]), data]);

test("packets are the same for both, also after other bytes", async (t) => {
  const random = numbers(5);
  const stream = Array.from({ length: 800 }, (_, index) => {
    const noise = index % 10 === 5 ? Buffer.from("boot\r\n") : Buffer.alloc(0);
    return Buffer.concat([noise, packet(bytes(random, random(60), [0xaa, 0, 1]))]);
  });
  // serial-ws holds the first packet after other bytes until another one follows it, or silence.
  const cut = pieces(random, Buffer.concat([...stream, packet(Buffer.from("end"))]));
  const { PacketLengthParser } = theirs("packet-length");
  const frames = await parsed(new PacketLengthParser({ readableObjectMode: true }), cut);
  assert.equal(frames.length, 801);
  await check(t, "packet:aa:1:1", cut, frames);
});

test("a mark among other bytes is no packet unless another one follows it", async (t) => {
  const [first, second, third] = ["one", "two", "three"].map((text) => packet(Buffer.from(text)));
  const stream = [Buffer.concat([Buffer.from([1, 0xaa, 4]), first, second, third])];
  const { PacketLengthParser } = theirs("packet-length");
  const frames = await parsed(new PacketLengthParser({ readableObjectMode: true }), stream);
  // PacketLengthParser takes the first mark for a packet, which ends within the next one, so that this is lost.
  assert.deepEqual(frames, [Buffer.concat([Buffer.from([0xaa, 4]), first.subarray(0, 4)]), second, third]);
  await check(t, "packet:aa:1:1", stream, [first, second, third]);
});

test("silence ends a frame for both", async (t) => {
  const random = numbers(6);
  const { InterByteTimeoutParser } = theirs("inter-byte-timeout");
  const messages = Array.from({ length: 5 }, () => bytes(random, 20, [0xff]));
  const parser = new InterByteTimeoutParser({ interval: 400, readableObjectMode: true });
  const theirFrames = [];
  parser.on("data", (frame) => theirFrames.push(frame));
  const { frames, send } = await board(t, "gap:400ms");
  for (const message of messages) {
    const cut = random(message.length);
    for (const piece of [message.subarray(0, cut), message.subarray(cut)]) {
      if (piece.length === 0) continue;
      parser.write(piece);
      send(piece);
    }
    // The pause itself is what is tested.
    await sleep(1200);
  }
  await until("the frames", () => frames.length >= messages.length && theirFrames.length >= messages.length);
  assert.deepEqual(frames, messages);
  assert.deepEqual(theirFrames, messages);
});
