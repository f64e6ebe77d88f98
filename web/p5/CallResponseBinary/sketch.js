/*
  Call and response, binary
  Asks for a reading, which is two bytes, and asks again when it has come.

  board: firmware/CallResponseBinary
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;            // the connection to serial-ws
let bytes = [];        // what came of the response so far
let reading = 0;       // the latest reading, 0 to 1023
let answered = false;  // whether a reading has come since the last call
let lastCall = 0;      // when this page last asked, in milliseconds

function setup() {
  createCanvas(400, 400);
  // every page that is open calls as often as this:
  frameRate(20);
  connect();
}

function connect() {
  socket = new WebSocket(address + "/?view=raw");
  socket.binaryType = "arraybuffer";
  socket.onmessage = readBytes;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readBytes(event) {
  for (const byte of new Uint8Array(event.data)) {
    // the high byte comes first; of 1023 it is 3, so what is more is a low one without its first half:
    if (bytes.length > 0 || byte <= 3) bytes.push(byte);
    if (bytes.length === 2) {
      reading = bytes[0] * 256 + bytes[1];
      bytes = [];
      answered = true;
    }
  }
}

function call() {
  send("x");
  answered = false;
  lastCall = millis();
}

function draw() {
  // a response may be lost, so begin anew after a second:
  if (millis() - lastCall > 1000) {
    bytes = [];
    answered = true;
  }
  if (answered) call();
  background(240);
  fill("teal");
  circle(width / 2, height / 2, map(reading, 0, 1023, 10, width));
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 20);
  }
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
