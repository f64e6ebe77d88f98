/*
  SLIP frames
  Moves a circle with two readings from each frame: the knob moves it, and the light sets its size.

  board: firmware/SlipFrames
  run: serial-ws --frame slip
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;     // the connection to serial-ws
let knob = 0;   // the last reading of the potentiometer, 0 to 1023
let light = 0;  // the last reading of the light sensor, 0 to 1023

function setup() {
  createCanvas(400, 200);
  connect();
}

function connect() {
  socket = new WebSocket(address + "?view=frames");
  socket.binaryType = "arraybuffer";
  socket.onmessage = readFrame;
  // when the connection closes, try again after a second:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readFrame(event) {
  // one message is one frame, without what SLIP adds:
  if (event.data.byteLength !== 4) return;
  const frame = new DataView(event.data);
  // each number has two bytes, the low one first:
  knob = frame.getUint16(0, true);
  light = frame.getUint16(2, true);
}

function draw() {
  background(240);
  fill("teal");
  circle(map(knob, 0, 1023, 0, width), height / 2, map(light, 0, 1023, 10, height));
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 20);
  }
}
