// The built-in page: connects to a port, and feeds the monitor and the plotter.

import "/serial-ws.js";
import { Log } from "./log.js";
import { Monitor } from "./monitor.js";
import { hex } from "./format.js";
import { Plotter } from "./plotter.js";
import { SendBox } from "./sendbox.js";
import { Table, named } from "./series.js";

/** Milliseconds of silence on an open port before the page suggests reasons. */
const SILENCE_TIMEOUT = 3000;
/** Characters in a row of unbroken text; more start a new row. */
const MAX_ROW_LENGTH = 4096;
/** States in which the page is not connected, so the state of the board is unknown. */
const DISCONNECTED = ["stopped", "refused", "blocked", "closed", "mistake", "connecting"];

/** The elements of the page by their id, in camel case. @type {Record<string, any>} */
const elements = {};
for (const element of document.querySelectorAll("[id]")) {
  elements[element.id.replace(/-(.)/g, (_, letter) => letter.toUpperCase())] = element;
}

let frameRequested = false;
const log = new Log();
const table = new Table();
const monitor = new Monitor(log, elements, (following) => {
  setPressed(elements.pause, !following);
  requestFrame();
});
const plotter = new Plotter(table, elements, requestFrame);
new SendBox(elements, {
  add(text) {
    /** @type {import("./log.js").Row} */
    const row = { kind: "sent", text, t: now() };
    addRow(row);
    return row;
  },
  send: (row) => showReply(row, serial.send(row.text)),
  refresh: (row) => monitor.refresh(row),
});

/** The connection, and the options it was opened with. @type {any} */
let serial, options;
/** The connection that brings the values of lines where the main one has none, and its options. @type {any} */
let values, valuesOptions;
let decoder = new TextDecoder();
/** Bytes in the last, incomplete row of the hex view. @type {number[]} */
let lastRow = [];
/** True if the next chunk continues the newest row. */
let unfinished = false;
/** True until the board has sent something. */
let silent = true;

/** Counts and times for the statistics. `pieces` and `worst` restart with each update. */
const stats = { pieces: 0, worst: 0, missed: 0, activeAt: 0, connectedAt: 0 };
/** The shortest delay of any line. From another computer it includes the difference between the clocks. */
let minDelay = Infinity;
/** Milliseconds after connecting in which lines may come from the history. */
const CATCH_UP_TIME = 1000;
const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) || location.hostname.endsWith(".localhost");

/** Requests one animation frame, however often it is called. */
function requestFrame() {
  if (frameRequested) return;
  frameRequested = true;
  requestAnimationFrame(draw);
}

function draw() {
  frameRequested = false;
  monitor.draw();
  plotter.draw();
  if (plotter.moving) requestFrame();
}

function connect() {
  // Closing the connection here needs no status message.
  serial?.off("status", showStatus).close();
  values?.close();
  const port = new URLSearchParams(location.search).get("port") ?? undefined;
  const view = elements.view.value;
  const latest = elements.latest.value || undefined;
  options = view === "lines" ? { port, latest, history: 200, values: true } : { port, latest, history: 2000, data: "chunks" };
  [decoder, lastRow, unfinished, silent] = [new TextDecoder(), [], false, true];
  elements.rows.classList.toggle("hex", view === "hex");
  serial = new SerialWs(options).on("open", showPort).on("status", showStatus).on("missed", showMissed)
    .on("line", addLine).on("values", plot).on("data", view === "hex" ? addBytes : addText);
  valuesOptions = { port, latest, history: 200 };
  values = view === "text" ? new SerialWs(valuesOptions).on("values", plot).on("missed", () => table.gap()) : undefined;
  showStatus(serial.status);
}

function showPort(hello) {
  const { name, board, path, settings } = hello.port;
  const place = [board, path === name ? undefined : path, `${settings.baud} baud`];
  elements.board.textContent = [hello.ports.length > 1 ? undefined : name, ...place].filter(Boolean).join(" · ");
  document.title = `${name} – serial-ws`;
  elements.portChoice.hidden = hello.ports.length < 2;
  elements.port.replaceChildren(...hello.ports.map((port) => new Option(port, port, false, port === name)));
  elements.address.textContent = serial.url.replace(/\/$/, "");
  elements.ending.disabled = settings.append !== "none";
  elements.ending.title = settings.append === "none" ? "Line ending to add to each line" : `serial-ws adds the line ending (--append ${settings.append})`;
  stats.activeAt = stats.connectedAt = Date.now();
}

let lastStatus = "";
function showStatus({ state, detail, hint }) {
  const readOnly = serial.hello?.port.settings.readOnly;
  const open = state === "open";
  elements.state.dataset.state = state;
  elements.stateText.textContent = state === "open" ? "open" : detail || state;
  elements.state.title = detail ?? "";
  const remedy = hint ?? "";
  elements.remedy.textContent = remedy && `${remedy.replace(/[.]?$/, ".")}`;
  elements.remedy.hidden = !remedy;
  elements.first.hidden = state !== "mistake";
  elements.reset.disabled = !open || readOnly;
  elements.release.hidden = state === "released";
  elements.release.disabled = !serial.hello || readOnly || DISCONNECTED.includes(state);
  elements.resume.hidden = state !== "released";
  elements.resume.disabled = Boolean(readOnly);
  elements.text.disabled = Boolean(readOnly);
  elements.text.placeholder = readOnly ? "Sending is disabled (--read-only)" : "Send to the board";
  plotter.live = open;
  const status = `${state} ${detail}`;
  if (status !== lastStatus && lastStatus && state !== "connecting") {
    addRow({ kind: "note", text: detail ?? state, t: now() });
    // A lost connection alone leaves no gap: the stream resumes where it stopped.
    if (!open && !DISCONNECTED.includes(state)) startAfterGap();
  }
  lastStatus = status;
  stats.activeAt = Date.now();
  requestFrame();
}

function showMissed({ lines, bytes }) {
  const what = lines ? `${lines.toLocaleString("en")} lines` : bytes ? `${bytes.toLocaleString("en")} bytes` : "some lines";
  stats.missed += lines ?? 0;
  elements.missedFigure.hidden = false;
  elements.missed.textContent = stats.missed > 0 ? stats.missed.toLocaleString("en") : "some";
  addRow({ kind: "note", text: `${what} missed here`, t: now() });
  startAfterGap();
}

/** Separates the data to come from the data before a gap. */
function startAfterGap() {
  table.gap();
  decoder = new TextDecoder();
}

function addLine(text, { t, partial }) {
  addRow({ kind: partial ? "part" : "line", text, t });
  count(t);
}

/** Adds a chunk to the text view: one row for each line, and one for an unfinished line. */
function addText(bytes, { t }) {
  const text = decoder.decode(bytes, { stream: true });
  text.split("\n").forEach((piece, index) => {
    const whole = piece.replace(/\r$/, "");
    if (index > 0) unfinished = false;
    if (whole === "" && index > 0 && index === text.split("\n").length - 1) return;
    const newest = log.newest;
    if (unfinished && newest?.kind === "line" && newest.text.length < MAX_ROW_LENGTH) {
      log.amend(newest.text + whole);
      monitor.refresh(newest);
    } else {
      addRow({ kind: "line", text: whole, t });
    }
    unfinished = true;
  });
  count(t);
}

/** Adds a chunk to the hex view, sixteen bytes per row; each byte is also a sample for the plot. */
function addBytes(bytes, { t, offset }) {
  const newest = log.newest;
  const continues = unfinished && newest?.kind === "line" && lastRow.length < 16;
  const before = continues ? lastRow : [];
  const all = Uint8Array.from([...before, ...bytes]);
  hex(all, offset - before.length).forEach((text, index) => {
    if (index === 0 && continues) {
      log.amend(text);
      monitor.refresh(newest);
    } else {
      addRow({ kind: "line", text, t });
    }
  });
  lastRow = [...all.subarray(all.length - (all.length % 16 || 16))];
  unfinished = true;
  for (const byte of bytes) table.add(t, new Map([["byte", byte]]));
  count(t);
  requestFrame();
}

/** Adds the values of a line, which serial-ws has found in it, to the plot. */
function plot(found, { t }) {
  table.add(t, named(found));
  requestFrame();
}

function addRow(row) {
  log.add(row);
  if (row.kind !== "line") unfinished = false;
  requestFrame();
}

function count(t) {
  stats.pieces++;
  silent = false;
  elements.silence.hidden = true;
  stats.activeAt = Date.now();
  const delay = Date.now() / 1000 - t;
  if (Date.now() - stats.connectedAt > CATCH_UP_TIME) {
    minDelay = Math.min(minDelay, delay);
    // Within one computer no line takes a second, so "localhost" must be the near end of a tunnel.
    plotter.clockOffset = isLocal && Math.abs(minDelay) < 1 ? 0 : minDelay;
  }
  // Lines from the history are old, not slow.
  if (t * 1000 > stats.connectedAt - plotter.clockOffset * 1000) stats.worst = Math.max(stats.worst, delay - plotter.clockOffset);
}

const now = () => Date.now() / 1000 - plotter.clockOffset;

/** Updates the statistics and the hint about silence. Runs once a second. */
function showStats() {
  const unit = elements.view.value === "lines" ? "lines/s" : "reads/s";
  const open = serial.status.state === "open";
  const thinned = elements.latest.value ? " shown" : "";
  elements.rate.textContent = open ? `${stats.pieces.toLocaleString("en")} ${unit}${thinned}` : "–";
  const millis = Math.max(1, Math.round(stats.worst * 1000));
  const delay = millis > 999 ? `${(millis / 1000).toFixed(1)} s` : `${millis} ms`;
  elements.delay.textContent = open && stats.pieces > 0 ? delay : "–";
  if (!silent || !open) elements.silence.hidden = true;
  else if (Date.now() - stats.activeAt >= SILENCE_TIMEOUT) explainSilence(serial);
  [stats.pieces, stats.worst] = [0, 0];
}

/** What to say where the board has sent nothing. */
const NOTHING_RECEIVED = elements.silence.textContent;

/** Says why there are no lines: because nothing has come, or because no line has ended. */
async function explainSilence(connection) {
  const { name } = connection.hello.port;
  let explanation = "No lines received yet.";
  try {
    const { ports } = await (await fetch("/api/status", { signal: AbortSignal.timeout(3000) })).json();
    const { bytes, lines } = ports.find((port) => port.name === name);
    const unfinished = lines === 0 ? bytes : bytes - connection.hello.offset;
    explanation = unfinished > 0
      ? `The board has sent ${unfinished.toLocaleString("en")} bytes, but no line has ended yet. To see them as they come, choose text above.`
      : NOTHING_RECEIVED;
  } catch {
    // What is not known is not said.
  }
  if (connection !== serial || !silent || serial.status.state !== "open") return;
  elements.silence.textContent = explanation;
  elements.silence.hidden = false;
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
    addRow({ kind: "note", text: error.message, t: now() });
  }
}

function setPressed(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
  button.textContent = pressed ? "Resume" : "Pause";
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
  setPressed(elements.plotPause, false);
}

function clear() {
  monitor.clear();
  clearPlot();
}

async function copy() {
  const text = monitor.text(elements.times.checked);
  let result = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers allow clipboard access only over https and on localhost.
    result = "Not allowed";
  }
  elements.copy.textContent = result;
  setTimeout(() => { elements.copy.textContent = "Copy"; }, 1500);
}

elements.port.addEventListener("change", (event) => {
  const url = new URL(location.href);
  url.searchParams.set("port", event.target.value);
  history.replaceState(null, "", url);
  clear();
  lastStatus = "";
  connect();
});
elements.view.addEventListener("change", () => {
  clear();
  connect();
});
elements.latest.addEventListener("change", () => {
  options.latest = valuesOptions.latest = elements.latest.value || undefined;
  // Reopen the same connections, so that they resume where they were.
  serial.off("status", showStatus).close();
  serial.on("status", showStatus).open();
  values?.close();
  values?.open();
});
elements.times.addEventListener("change", (event) => {
  elements.rows.classList.toggle("with-times", event.target.checked);
  if (monitor.following) elements.rows.scrollTop = elements.rows.scrollHeight;
});
elements.pause.addEventListener("click", () => monitor.follow(!monitor.following));
elements.clear.addEventListener("click", () => monitor.clear());
elements.copy.addEventListener("click", copy);
elements.download.addEventListener("click", () => save(new Blob([monitor.text(elements.times.checked)], { type: "text/plain" }), "txt"));
elements.search.addEventListener("input", (event) => monitor.search(event.target.value));
elements.reset.addEventListener("click", () => showError(serial.reset()));
elements.release.addEventListener("click", () => showError(serial.release()));
elements.resume.addEventListener("click", () => showError(serial.resume()));
elements.span.addEventListener("change", (event) => {
  plotter.span = Number(event.target.value);
});
elements.plotPause.addEventListener("click", () => {
  plotter.pause(!plotter.paused);
  setPressed(elements.plotPause, plotter.paused);
});
elements.plotClear.addEventListener("click", clearPlot);
elements.plotCsv.addEventListener("click", () => save(new Blob([plotter.table.csv()], { type: "text/csv" }), "csv"));
elements.plotPng.addEventListener("click", async () => {
  const picture = await plotter.png();
  if (picture) save(picture, "png");
});
// Nothing is drawn while the page is hidden or frozen, and a requested frame may have been lost.
for (const event of ["visibilitychange", "resume"]) {
  document.addEventListener(event, () => {
    frameRequested = false;
    requestFrame();
  });
}

elements.address.textContent = location.origin.replace("http", "ws");
connect();
setInterval(showStats, 1000);
