/*
  Button
  The canvas lights up while the button is pressed.

  board: firmware/Button
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;         // the connection to serial-ws
let pressed = "0";  // what the board said last: 1 or 0

function setup() {
  createCanvas(400, 400);
  connect();
}

// history=1 asks for the last line, since the button may not change for long:
function connect() {
  socket = new WebSocket(address + "/?history=1");
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  pressed = event.data;
}

function draw() {
  background(pressed === "1" ? "gold" : "gray");
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}
