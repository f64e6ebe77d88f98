/*
  Orientation
  A box that turns as the sensor does.

  board: firmware/Orientation, or --port sim:imu
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;       // the connection to serial-ws
let heading = 0;  // turned on the spot, in degrees
let pitch = 0;    // nose up or down
let roll = 0;     // leaning to a side
let message;      // a line below the canvas, since in 3D text needs a font

function setup() {
  createCanvas(400, 400, WEBGL);
  angleMode(DEGREES);
  message = createP();
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  const angles = event.data.split(",").map(Number);
  // a whole line has three numbers:
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
