/*
  Echo
  Sends what you type, and shows what the board sends back.

  board: firmware/Echo
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;      // the connection to serial-ws
let input;       // where you type
let lines = [];  // the latest lines from the board

function setup() {
  createCanvas(400, 300);
  input = createInput();
  input.attribute("aria-label", "a line for the board");
  // changed() is when Enter was pressed:
  input.changed(sendLine);
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  lines.push(event.data);
  // ten lines fit:
  lines = lines.slice(-10);
}

function sendLine() {
  send(input.value() + "\n");
  input.value("");
}

function draw() {
  background(240);
  text(lines.join("\n"), 20, 30);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
