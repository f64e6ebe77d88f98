// The built-in page: connects to a port, and puts what comes into the monitor and the plotter.

import "/serial-ws.js";
import { Lines, Log } from "./log.js";
import { Monitor } from "./monitor.js";
import { SeriesParser, hex } from "./parse.js";
import { Plotter } from "./plotter.js";
import { Table } from "./series.js";

/** How long an open port may be silent before the page says what that can mean. */
const SILENCE = 3000;
/** Texts that the send box remembers. */
const MOST_SENT = 50;
/** Characters of a row of running text, beyond which a new row begins. */
const LONGEST_ROW = 4096;
/** States of the connection, in which nothing is known of the board. */
const APART = ["stopped", "refused", "blocked", "closed", "mistake", "connecting"];

/** @param {string} id @returns {any} */
const find = (id) => document.getElementById(id);

let framing = false;
const log = new Log();
const table = new Table();
const monitor = new Monitor(log, { rows: find("rows"), newest: find("newest"), found: find("found"), announced: find("announced") }, (following) => {
  press(find("pause"), !following);
  frame();
});
const plotter = new Plotter(table, { canvas: find("canvas"), legend: find("legend"), more: find("more"), empty: find("plot-empty") }, frame);

/** The port, as the client library sees it, and what it was asked for. @type {any} */
let serial, options;
let parser = new SeriesParser();
let lines = new Lines();
let decoder = new TextDecoder();
/** Bytes of the row of the hex view that is not full yet. @type {number[]} */
let tail = [];
/** Whether the newest row goes on with the next chunk. */
let unfinished = false;
/** Whether the board has said nothing yet. */
let silent = true;

/** Since the last reading of the figures. */
const figures = { pieces: 0, worst: 0, missed: 0, heard: 0, greeted: 0 };
/** The least time that a line took to come here; from another computer it holds the clocks' difference. */
let fastest = Infinity;
/** Within this time after connecting lines may be from before, in milliseconds. */
const CATCHING_UP = 1000;
const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) || location.hostname.endsWith(".localhost");

/** Asks for one frame, however often it is called. */
function frame() {
  if (framing) return;
  framing = true;
  requestAnimationFrame(draw);
}

function draw() {
  framing = false;
  monitor.draw();
  plotter.draw();
  if (plotter.moving) frame();
}

function connect() {
  // That this page closes it is no news.
  serial?.off("status", tell).close();
  const port = new URLSearchParams(location.search).get("port") ?? undefined;
  const view = find("view").value;
  options = { port, history: view === "lines" ? 200 : 2000, latest: find("latest").value || undefined, data: view === "lines" ? undefined : "chunks" };
  [lines, parser, decoder, tail, unfinished, silent] = [new Lines(), new SeriesParser(), new TextDecoder(), [], false, true];
  find("rows").classList.toggle("hex", view === "hex");
  serial = new SerialWs(options).on("open", greet).on("status", tell).on("missed", miss)
    .on("line", takeLine).on("data", view === "hex" ? takeBytes : takeText);
  tell(serial.status);
}

function greet(hello) {
  const { name, board, path, settings } = hello.port;
  const place = [board, path === name ? undefined : path, `${settings.baud} baud`];
  find("board").textContent = [hello.ports.length > 1 ? undefined : name, ...place].filter(Boolean).join(" · ");
  document.title = `${name} – serial-ws`;
  find("port-choice").hidden = hello.ports.length < 2;
  find("port").replaceChildren(...hello.ports.map((port) => new Option(port, port, false, port === name)));
  find("address").textContent = serial.url.replace(/\/$/, "");
  find("ending").disabled = settings.append !== "none";
  find("ending").title = settings.append === "none" ? "" : `The bridge adds an ending (--append ${settings.append})`;
  figures.heard = figures.greeted = Date.now();
}

let told = "";
function tell({ state, detail, hint }) {
  const readOnly = serial.hello?.port.settings.readOnly;
  const open = state === "open";
  find("state").dataset.state = state;
  find("state-text").textContent = state === "open" ? "open" : detail || state;
  find("state").title = detail ?? "";
  const remedy = readOnly && open ? "" : hint ?? "";
  find("remedy").textContent = remedy && `${remedy.replace(/[.]?$/, ".")}`;
  find("remedy").hidden = open || !remedy;
  find("first").hidden = state !== "mistake";
  find("reset").disabled = !open || readOnly;
  find("release").hidden = state === "released";
  find("release").disabled = !serial.hello || readOnly || APART.includes(state);
  find("resume").hidden = state !== "released";
  find("resume").disabled = Boolean(readOnly);
  find("text").disabled = Boolean(readOnly);
  find("text").placeholder = readOnly ? "Pages may only listen here (--read-only)" : "Send to the board";
  plotter.live = open;
  const note = `${state} ${detail}`;
  if (note !== told && told && state !== "connecting") {
    add({ kind: "note", text: detail ?? state, t: now() });
    // After a break of the connection alone it goes on where it was.
    if (!open && !APART.includes(state)) cut();
  }
  told = note;
  figures.heard = Date.now();
  frame();
}

function miss({ lines, bytes }) {
  const what = lines ? `${lines.toLocaleString("en")} lines` : bytes ? `${bytes.toLocaleString("en")} bytes` : "some lines";
  figures.missed += lines ?? 0;
  find("missed-figure").hidden = false;
  find("missed").textContent = figures.missed > 0 ? figures.missed.toLocaleString("en") : "some";
  add({ kind: "note", text: `${what} were missed here`, t: now() });
  cut();
}

/** What comes next does not belong to what came before. */
function cut() {
  table.gap();
  [lines, decoder] = [new Lines(), new TextDecoder()];
}

function takeLine(text, { t, partial }) {
  add({ kind: partial ? "part" : "line", text, t });
  if (!partial) plot(t, text);
  count(t);
}

/** Running text: a row for each line, and for what has no end yet. */
function takeText(bytes, { t, offset }) {
  if (offset === 0) lines = new Lines(true);
  const text = decoder.decode(bytes, { stream: true });
  for (const line of lines.push(text)) plot(t, line);
  text.split("\n").forEach((piece, index) => {
    const whole = piece.replace(/\r$/, "");
    if (index > 0) unfinished = false;
    if (whole === "" && index > 0 && index === text.split("\n").length - 1) return;
    const newest = log.newest;
    if (unfinished && newest?.kind === "line" && newest.text.length < LONGEST_ROW) {
      log.amend(newest.text + whole);
      monitor.refresh(newest);
    } else {
      add({ kind: "line", text: whole, t });
    }
    unfinished = true;
  });
  count(t);
}

/** Bytes, sixteen in a row; each one is a sample of the plot. */
function takeBytes(bytes, { t, offset }) {
  const newest = log.newest;
  const goes = unfinished && newest?.kind === "line" && tail.length < 16;
  const before = goes ? tail : [];
  const all = Uint8Array.from([...before, ...bytes]);
  hex(all, offset - before.length).forEach((text, index) => {
    if (index === 0 && goes) {
      log.amend(text);
      monitor.refresh(newest);
    } else {
      add({ kind: "line", text, t });
    }
  });
  tail = [...all.subarray(all.length - (all.length % 16 || 16))];
  unfinished = true;
  for (const byte of bytes) table.add(t, new Map([["byte", byte]]));
  count(t);
  frame();
}

function plot(t, text) {
  const values = parser.parse(text);
  if (values) table.add(t, values);
}

function add(row) {
  log.add(row);
  if (row.kind !== "line") unfinished = false;
  frame();
}

function count(t) {
  figures.pieces++;
  silent = false;
  find("silence").hidden = true;
  figures.heard = Date.now();
  const took = Date.now() / 1000 - t;
  if (Date.now() - figures.greeted > CATCHING_UP) {
    fastest = Math.min(fastest, took);
    // No line takes a second on this computer: what seems to be here is at the other end of a tunnel.
    plotter.behind = here && Math.abs(fastest) < 1 ? 0 : fastest;
  }
  // What the bridge had kept from before was not slow.
  if (t * 1000 > figures.greeted - plotter.behind * 1000) figures.worst = Math.max(figures.worst, took - plotter.behind);
}

const now = () => Date.now() / 1000 - plotter.behind;

/** Once a second: the figures, and what silence can mean. */
function read() {
  const unit = find("view").value === "lines" ? "lines/s" : "reads/s";
  const open = serial.status.state === "open";
  const thinned = find("latest").value ? " shown" : "";
  find("rate").textContent = open ? `${figures.pieces.toLocaleString("en")} ${unit}${thinned}` : "–";
  const millis = Math.max(1, Math.round(figures.worst * 1000));
  const delay = millis > 999 ? `${(millis / 1000).toFixed(1)} s` : `${millis} ms`;
  find("delay").textContent = open && figures.pieces > 0 ? delay : "–";
  find("silence").hidden = !silent || !open || Date.now() - figures.heard < SILENCE;
  [figures.pieces, figures.worst] = [0, 0];
}

const sent = { texts: /** @type {string[]} */ ([]), at: 0 };

async function send(event) {
  event.preventDefault();
  const box = find("text");
  const text = box.value;
  const ending = find("ending").disabled ? "" : find("ending").value;
  if (text + ending === "") return;
  if (text && sent.texts.at(-1) !== text) sent.texts.push(text);
  sent.texts.splice(0, sent.texts.length - MOST_SENT);
  sent.at = sent.texts.length;
  box.value = "";
  /** @type {import("./log.js").Row} */
  const row = { kind: "sent", text: text + ending, t: now() };
  add(row);
  await answered(row, serial.send(text + ending));
}

async function answered(row, promise) {
  try {
    await promise;
    row.state = "ok";
  } catch (error) {
    row.state = error.message;
  }
  monitor.refresh(row);
}

function recall(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  sent.at = Math.max(0, Math.min(sent.at + step, sent.texts.length));
  find("text").value = sent.texts[sent.at] ?? "";
}

/** Asks the bridge for something, and shows only when it does not succeed. */
async function ask(promise) {
  try {
    await promise;
  } catch (error) {
    add({ kind: "note", text: error.message, t: now() });
  }
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
  button.textContent = pressed ? "Go on" : "Pause";
}

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  link.download = `${serial.hello?.port.name ?? "serial-ws"}-${time}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function clearPlot() {
  plotter.clear();
  press(find("plot-pause"), false);
}

function clear() {
  monitor.clear();
  clearPlot();
}

async function copy() {
  const text = monitor.text(find("times").checked);
  let done = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers give the clipboard to https and to this computer only.
    done = "Not permitted";
  }
  find("copy").textContent = done;
  setTimeout(() => { find("copy").textContent = "Copy"; }, 1500);
}

find("port").addEventListener("change", (event) => {
  const url = new URL(location.href);
  url.searchParams.set("port", event.target.value);
  history.replaceState(null, "", url);
  clear();
  told = "";
  connect();
});
find("view").addEventListener("change", () => {
  clear();
  connect();
});
find("latest").addEventListener("change", () => {
  options.latest = find("latest").value || undefined;
  // The same one once more, so that it goes on where it was.
  serial.off("status", tell).close();
  serial.on("status", tell).open();
});
find("times").addEventListener("change", (event) => {
  find("rows").classList.toggle("with-times", event.target.checked);
  if (monitor.following) find("rows").scrollTop = find("rows").scrollHeight;
});
find("pause").addEventListener("click", () => monitor.follow(!monitor.following));
find("clear").addEventListener("click", () => monitor.clear());
find("copy").addEventListener("click", copy);
find("download").addEventListener("click", () => save(new Blob([monitor.text(find("times").checked)], { type: "text/plain" }), "txt"));
find("search").addEventListener("input", (event) => monitor.search(event.target.value));
find("send").addEventListener("submit", send);
find("text").addEventListener("keydown", recall);
find("reset").addEventListener("click", () => ask(serial.reset()));
find("release").addEventListener("click", () => ask(serial.release()));
find("resume").addEventListener("click", () => ask(serial.resume()));
find("span").addEventListener("change", (event) => {
  plotter.span = Number(event.target.value);
});
find("plot-pause").addEventListener("click", () => {
  plotter.pause(!plotter.paused);
  press(find("plot-pause"), plotter.paused);
});
find("plot-clear").addEventListener("click", clearPlot);
find("plot-csv").addEventListener("click", () => save(new Blob([plotter.table.csv()], { type: "text/csv" }), "csv"));
find("plot-png").addEventListener("click", async () => {
  const picture = await plotter.png();
  if (picture) save(picture, "png");
});
// Nothing was drawn while the page was hidden or frozen, and a frame that was asked for may be lost.
for (const event of ["visibilitychange", "resume"]) {
  document.addEventListener(event, () => {
    framing = false;
    frame();
  });
}

find("address").textContent = location.origin.replace("http", "ws");
connect();
setInterval(read, 1000);
