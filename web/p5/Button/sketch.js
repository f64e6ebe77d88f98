/*
  Button
  The canvas lights up while the button is pressed.

  board: firmware/Button
  run: serial-ws
  without a board: serial-ws --port sim:button
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;         // the connection to serial-ws
let pressed = "0";  // the latest line from the board: 1 or 0

function setup() {
  createCanvas(400, 400);
  textSize(20);
  connect();
}

function connect() {
  // history=1 asks for the latest line, since the next change may be far off:
  socket = new WebSocket(address + "?history=1");
  socket.onmessage = readLine;
  // when the connection closes, try again after a second:
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
  text(pressed === "1" ? "the button is pressed" : "press the button", 20, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}
