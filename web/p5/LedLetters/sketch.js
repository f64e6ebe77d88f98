/*
  LED by letters
  The LED is on while a mouse button or a finger is down.

  board: firmware/LedLetters
  run: serial-ws
  without a board: serial-ws --port sim:led
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;         // the connection to serial-ws
let state = "off";  // the latest state of the LED, on or off

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
  state = event.data;
}

function mousePressed() {
  send("H");
}

function mouseReleased() {
  send("L");
}

function draw() {
  background(state === "on" ? "gold" : "gray");
  text("press and hold: the LED is " + state, 20, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
