/*
  Raw byte
  Draws each byte that the board sends as a point of a graph.

  board: firmware/RawByte
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;         // the connection to serial-ws
let readings = [];  // the latest bytes, as many as fit

function setup() {
  createCanvas(400, 256);
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
  // a message may hold one byte or many:
  for (const reading of new Uint8Array(event.data)) {
    readings.push(reading);
  }
  // the canvas has one column for each:
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
