/*
  Raw byte
  Draws a graph of the bytes that the board sends.

  board: firmware/RawByte
  run: serial-ws
  without a board: serial-ws --port sim:raw
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;         // the connection to serial-ws
let readings = [];  // the latest bytes, one per pixel

function setup() {
  createCanvas(400, 256);
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
  // one message may hold one byte or many:
  for (const reading of new Uint8Array(event.data)) {
    readings.push(reading);
  }
  // keep only as many as the canvas has columns:
  readings = readings.slice(-width);
}

function draw() {
  background(240);
  noFill();
  beginShape();
  for (let x = 0; x < readings.length; x++) {
    vertex(x, height - readings[x]);
  }
  endShape();
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 20);
  }
}
