/*
  Several sensors
  A knob moves a circle, a light sensor sets its size, and a button fills it.
  Each line holds three numbers, such as 512,300,1.

  board: firmware/SeveralSensors
  run: serial-ws
  without a board: serial-ws --port sim

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (for the editor, start serial-ws with --allow-origin https://preview.p5js.org)
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;                    // the connection to serial-ws
let message = "connecting";    // shown while there is nothing to draw
let knob = 0;                  // the first reading, 0 to 1023
let light = 0;                 // the second reading, 0 to 1023
let button = 0;                // the third reading, 1 while the button is pressed

function setup() {
  createCanvas(windowWidth, windowHeight);
  textSize(18);
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onopen = opened;
  socket.onmessage = readLine;
  // when the connection closes, try again after a second:
  socket.onclose = tryAgain;
}

function opened() {
  message = "connected. waiting for a line";
}

function readLine(event) {
  // split the line at its commas and convert the parts to numbers:
  const readings = event.data.split(",").map(Number);
  // skip lines that do not have three numbers:
  if (readings.length !== 3 || readings.some(isNaN)) return;
  message = "";
  knob = readings[0];
  light = readings[1];
  button = readings[2];
}

function draw() {
  background(250);
  noStroke();
  fill(60);
  text(message, 20, 40);
  if (message !== "") return;
  text("knob " + knob + "   light " + light + "   button " + button, 20, 40);
  // the knob sets the position, the light sets the size:
  const x = map(knob, 0, 1023, 60, width - 60);
  const size = map(light, 0, 1023, 20, min(width, height) - 120);
  stroke(0, 100, 200);
  strokeWeight(4);
  if (button === 1) {
    fill(255, 180, 0);
  } else {
    noFill();
  }
  circle(x, height / 2 + 20, size);
}

function tryAgain() {
  message = "no connection. is serial-ws running?";
  setTimeout(connect, 1000);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
