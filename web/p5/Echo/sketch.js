/*
  Echo
  Sends what you type, and shows what the board sends back.

  board: firmware/Echo
  run: serial-ws
  without a board: serial-ws --port loop
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;      // the connection to serial-ws
let input;       // the box to type or paste into
let lines = [];  // the latest lines from the board

function setup() {
  createCanvas(400, 300);
  textSize(16);
  input = createElement("textarea");
  input.attribute("rows", "1");
  input.attribute("aria-label", "lines to send");
  input.attribute("placeholder", "type a line and press Enter");
  input.elt.onkeydown = pressKey;
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onmessage = readLine;
  // when the connection closes, try again after a second:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  lines.push(event.data);
  // keep the latest ten, as many as fit on the canvas:
  lines = lines.slice(-10);
}

function pressKey(event) {
  // Enter sends the lines, and Shift+Enter starts another one:
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  // end the last line, too, unless it has an end already:
  send(input.value().replace(/\n$/, "") + "\n");
  input.value("");
}

function draw() {
  background(240);
  text(lines.join("\n"), 20, 30);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
