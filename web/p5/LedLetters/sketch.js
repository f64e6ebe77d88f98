/*
  LED by letters
  The LED is on while the mouse, or a finger, is down.

  board: firmware/LedLetters
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;         // the connection to serial-ws
let state = "off";  // what the board said about its LED

function setup() {
  createCanvas(400, 400);
  textSize(20);
  connect();
}

// history=1 asks for the last line, since nobody may switch it for long:
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
  text("the LED is " + state, 20, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
