/*
  Orientation
  Turns a box the way the sensor turns.

  board: firmware/Orientation
  run: serial-ws
  without a board: serial-ws --port sim:imu
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;       // the connection to serial-ws
let heading = 0;  // the direction it faces, in degrees
let pitch = 0;    // nose up or down, in degrees
let roll = 0;     // leaning to one side, in degrees
let message;      // a line below the canvas, since text in 3D needs a font

function setup() {
  createCanvas(400, 400, WEBGL);
  angleMode(DEGREES);
  message = createP();
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onmessage = readLine;
  // when the connection closes, try again after a second:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  const angles = event.data.split(",").map(Number);
  // skip lines that do not have three numbers:
  if (angles.length === 3) {
    [heading, pitch, roll] = angles;
  }
}

function draw() {
  background(240);
  rotateY(-heading);
  rotateX(pitch);
  rotateZ(roll);
  box(160, 20, 240);
  // without a connection, say so:
  message.html(socket.readyState === WebSocket.OPEN ? "" : "no connection. is serial-ws running?");
}
