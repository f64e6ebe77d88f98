/*
  Call and response, binary
  Asks for a reading of two bytes, and asks again when it has arrived.

  board: firmware/CallResponseBinary
  run: serial-ws
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;            // the connection to serial-ws
let bytes = [];        // the bytes of the response so far
let reading = 0;       // the latest reading, 0 to 1023
let answered = false;  // true if a reading has arrived since the last call
let lastCall = 0;      // when this page last asked, in milliseconds

function setup() {
  createCanvas(400, 400);
  textSize(16);
  // call at most 20 times a second:
  frameRate(20);
  connect();
}

function connect() {
  socket = new WebSocket(address + "?view=raw");
  socket.binaryType = "arraybuffer";
  socket.onmessage = readBytes;
  // when the connection closes, try again after a second:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readBytes(event) {
  for (const byte of new Uint8Array(event.data)) {
    // the high byte comes first and is at most 3, so skip a low byte whose high byte got lost:
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
  // a response may get lost, so start over after a second:
  if (millis() - lastCall > 1000) {
    bytes = [];
    answered = true;
  }
  if (answered) call();
  background(240);
  fill("teal");
  circle(width / 2, height / 2, map(reading, 0, 1023, 10, width));
  fill("black");
  text("the reading: " + reading, 20, 30);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
