// The built-in page: connects to a port, and feeds the monitor and the plotter.

import { Advice } from "./advice.js";
import { Appearance } from "./appearance.js";
import { Clients } from "./clients.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection.js";
import * as elements from "./elements.js";
import { copy, save } from "./files.js";
import { frame } from "./format.js";
import { enableKeys } from "./keys.js";
import { Log } from "./log.js";
import { Memory } from "./memory.js";
import { enableMenus } from "./menus.js";
import { ModemLines } from "./modem-lines.js";
import { Lock, refusal } from "./lock.js";
import { Monitor } from "./monitor.js";
import { Outputs } from "./outputs.js";
import { Playback } from "./playback.js";
import { Plotter } from "./plotter.js";
import { PortMenu } from "./port-menu.js";
import { Preferences } from "./preferences.js";
import { Received } from "./received.js";
import { Recording } from "./recording.js";
import { SendBox } from "./sendbox.js";
import { SeriesDialog } from "./series-dialog.js";
import { Table, named } from "./series.js";
import { Settings } from "./settings.js";
import { Silence } from "./silence.js";
import { State, isConnected } from "./state.js";
import { Statistics } from "./statistics.js";

const log = new Log();
const table = new Table();
const statistics = new Statistics(elements.readout);
const silence = new Silence(elements.monitor.silence);
const state = new State(elements.board, elements.sending);
const monitor = new Monitor(log, elements.monitor);
const memory = new Memory();
const appearance = new Appearance(memory);
const plotter = new Plotter(table, elements.plot, statistics, appearance, (series) => {
  seriesDialog.open(series, [...table.series.keys()].indexOf(series));
});
const seriesDialog = new SeriesDialog(elements.seriesDialog, appearance, () => plotter.redraw());
const preferences = new Preferences(memory, plotter);
const received = new Received(log, monitor);
const connection = new Connection({
  open: showPort, status: showStatus, missed: showMissed, line: addLine, data: addData, values: plot, written: addWritten, gap: () => table.gap(),
});
const sendBox = new SendBox(elements.sending, {
  add(text) {
    /** @type {import("./log.js").Row} */
    const row = { kind: "sent", text, t: statistics.now() };
    received.add(row);
    return row;
  },
  send: (row) => showReply(row, connection.serial.send(row.text)),
  refresh: (row) => monitor.refresh(row),
});

const commands = new Commands(elements.sending, memory, sendBox);
const modemLines = new ModemLines(elements.lines, (request) => showError(connection.serial.request(request)));

const portMenu = new PortMenu(elements.board, (choice) => {
  const url = new URL(location.href);
  for (const name of ["port", "device"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(choice)) url.searchParams.set(name, value);
  history.replaceState(null, "", url);
  lastStatus = "";
  run = undefined;
  restart();
});
const change = (/** @type {object} */ settings) => showError(connection.serial.settings(settings));
const settings = new Settings(elements.settings, change);
const playback = new Playback(elements.playback, (changes) => showError(connection.serial.playback(changes)));
const advice = new Advice(elements.board.advice, (view) => {
  elements.monitor.view.value = view;
  elements.monitor.view.dispatchEvent(new Event("change"));
}, change);
const outputs = new Outputs(elements.outputs);
const recording = new Recording(elements.recording, {
  request: (request) => connection.serial.ask(request),
  fail: (error) => note(error.message),
  note,
});
const clients = new Clients(elements.share);
const lock = new Lock(elements.lock, {
  request: (request) => connection.serial.request(request),
  fail: (error) => note(error.message),
  note,
}, clients);
/** Rows of what clients sent that may come to have a name; more of them keep the number alone. */
const MAX_UNNAMED = 100;
/** @type {[number, import("./log.js").Row][]} */
let unnamed = [];

function connect() {
  hasData = false;
  received.restart();
  silence.restart();
  const { view, latest, rows } = elements.monitor;
  rows.classList.toggle("hex", view.value === "hex");
  const { port, device } = Object.fromEntries(new URLSearchParams(location.search));
  connection.connect({ port, device, view: view.value, latest: latest.value || undefined });
}

/** The run of serial-ws that the page is connected to. @type {string | undefined} */
let run;
/** True if serial-ws has restarted since the page was connected before, so that nothing was missed. */
let hasRestarted = false;
/** True once data has come since the page began with this port and view. */
let hasData = false;

function showPort(hello) {
  hasRestarted = run !== undefined && run !== hello.run;
  run = hello.run;
  state.showPort(hello, connection.serial.url);
  lock.connected(hello);
  portMenu.show(hello.ports, hello.port.name);
  statistics.connected();
  if (hello.port.name !== memory.port) recall(hello.port);
}

/** Shows a port the way it was shown before. */
function recall({ name, settings }) {
  memory.open(name);
  appearance.load();
  preferences.recall();
  commands.load();
  plotter.redraw();
  const view = memory.get("view", { raw: "hex", text: "text" }[settings.view] ?? "lines");
  if (view === elements.monitor.view.value) return;
  elements.monitor.view.value = view;
  // After this event, since it closes the connection that brought it.
  queueMicrotask(restart);
}

/** Connects anew, without what was received before. */
function restart() {
  clear();
  connect();
}

let lastStatus = "";
function showStatus(status) {
  showControls();
  plotter.live = status.state === "open";
  const text = `${status.state} ${status.detail}`;
  if (text !== lastStatus && lastStatus && status.state !== "connecting") {
    note(status.detail ?? status.state);
    // A lost connection alone leaves no gap: the stream resumes where it stopped.
    if (status.state !== "open" && isConnected(status.state)) startAfterGap();
  }
  lastStatus = text;
  statistics.activeAt = Date.now();
  plotter.requestFrame();
}

/** Shows what can be changed, and why not. */
function showControls() {
  const { status, hello } = connection.serial;
  const why = refusal(status, hello, clients.isOperator);
  lock.show(status, hello, why);
  state.showStatus(status, hello, why);
  settings.show(status, why, lock.hasBoard);
  playback.show(status, why);
  advice.show(status, elements.monitor.view.value, why, lock.hasBoard);
  modemLines.show(status, why);
  recording.show(status, hello, why);
  outputs.show(status, hello);
  commands.allow(why);
}

function showMissed({ lines, bytes }) {
  if (hasRestarted && !lines && !bytes) {
    hasRestarted = false;
    note("serial-ws has restarted");
    return startAfterGap();
  }
  // What left the history while it was on its way is not missed.
  if (!hasData) return undefined;
  const what = lines ? `${lines.toLocaleString("en")} lines` : bytes ? `${bytes.toLocaleString("en")} bytes` : "some lines";
  statistics.miss(lines ?? 0);
  note(`${what} missed here`);
  return startAfterGap();
}

/** Separates the data to come from the data before a gap. */
function startAfterGap() {
  table.gap();
  received.gap();
}

function addLine(text, line) {
  received.addLine(text, line, connection.hello.port.settings.frame);
  count(line.t);
}

function addData(bytes, chunk) {
  if (elements.monitor.view.value === "hex") {
    received.addBytes(bytes, chunk);
    // Each byte is also a sample for the plot.
    for (const byte of bytes) table.add(chunk.t, new Map([["byte", byte]]));
    plotter.requestFrame();
  } else {
    received.addText(bytes, chunk);
  }
  count(chunk.t);
}

/** The number of serial-ws itself, which polls the device (`--poll`). */
const SERIAL_WS = 0;

/** Adds what another client wrote. This page has shown its own already, and polls would be every other row. */
function addWritten(bytes, { t, client, name, bytes: base64 }) {
  if (client === connection.hello.client || client === SERIAL_WS) return;
  const shown = base64 === undefined ? new TextDecoder().decode(bytes) : frame("", base64);
  /** @type {import("./log.js").Row} */
  const row = { kind: "other", text: shown, t, state: clients.describe(client, name) };
  received.add(row);
  if (row.state === `client ${client}`) unnamed.push([client, row]);
  if (unnamed.length > MAX_UNNAMED) unnamed.shift();
}

/** Adds the values of a line, which serial-ws has found in it, to the plot. */
function plot(values, { t }) {
  table.add(t, named(values));
  plotter.requestFrame();
}

function count(t) {
  hasData = true;
  statistics.count(t);
  silence.end();
}

/** Adds a row with a remark of this page. @param {string} text */
function note(text) {
  received.add({ kind: "note", text, t: statistics.now() });
}

function showStatistics() {
  const unit = elements.monitor.view.value === "lines" ? "lines/s" : "reads/s";
  statistics.show(connection.isOpen, elements.monitor.latest.value ? `${unit} shown` : unit);
  silence.update(connection, statistics.activeAt);
}

async function showReply(row, promise) {
  try {
    await promise;
    row.state = "ok";
  } catch (error) {
    row.state = error.message;
  }
  monitor.refresh(row);
}

/** Waits for a request and shows its error, if any. */
async function showError(promise) {
  try {
    await promise;
  } catch (error) {
    note(error.message);
  }
}

/** Saves a file named after the port. @param {string | Blob} content @param {string} ending */
function saveAs(content, ending) {
  const blob = content instanceof Blob ? content : new Blob([content]);
  save(blob, connection.hello?.port.name ?? "serial-ws", ending);
}

function clear() {
  monitor.clear();
  plotter.clear();
}

/** Calls `act` whenever a control is used. */
function on(control, event, act) {
  control.addEventListener(event, () => act(control));
}

on(elements.board.reset, "click", () => showError(connection.serial.reset()));
on(elements.board.release, "click", () => showError(connection.serial.release(60)));
on(elements.board.releaseLong, "click", () => showError(connection.serial.release(600)));
on(elements.board.resume, "click", () => showError(connection.serial.resume()));
on(elements.monitor.view, "change", ({ value }) => {
  memory.set("view", value);
  restart();
});
on(elements.monitor.latest, "change", ({ value }) => connection.thin(value || undefined));
on(elements.monitor.copy, "click", (button) => copy(monitor.text(), button));
on(elements.monitor.download, "click", () => saveAs(monitor.text(), "txt"));
for (const [control, isAll] of [[elements.plot.csvShown, false], [elements.plot.csvAll, true]]) {
  on(control, "click", () => saveAs(plotter.csv(isAll), "csv"));
}
for (const [control, isAll] of [[elements.plot.pngShown, false], [elements.plot.pngAll, true]]) {
  on(control, "click", async () => {
    const picture = await plotter.png(isAll);
    if (picture) saveAs(picture, "png");
  });
}

elements.board.address.textContent = new URL("..", import.meta.url).href.replace("http", "ws").replace(/\/$/, "");
enableMenus();
clients.onNames = () => {
  for (const [client, row] of unnamed) {
    row.state = clients.describe(client);
    monitor.refresh(row);
  }
  unnamed = unnamed.filter(([client, row]) => row.state === `client ${client}`);
  showControls();
};
enableKeys({ "/": elements.monitor.search, i: elements.sending.text });
on(matchMedia("(prefers-color-scheme: dark)"), "change", () => plotter.recolour());
on(elements.theme, "change", () => plotter.recolour());
connect();
setInterval(showStatistics, 1000);
