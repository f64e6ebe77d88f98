/*
  Several sensors
  A knob and a light sensor move a circle, and a button fills it: 512,300,1

  board: firmware/SeveralSensors
  bridge: serial-ws
  without a board: serial-ws --port sim

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (start serial-ws with --allow-origin https://preview.p5js.org for that one)
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;                    // the connection to serial-ws
let message = "connecting";    // what to say as long as there is nothing to draw
let knob = 0;                  // the first reading, 0 to 1023
let light = 0;                 // the second reading, 0 to 1023
let button = 0;                // the third one, 1 while the button is pressed

function setup() {
  createCanvas(windowWidth, windowHeight);
  textSize(18);
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onopen = opened;
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = tryAgain;
}

function opened() {
  message = "connected. waiting for a line";
}

function readLine(event) {
  // cut the line at its commas, and make numbers of the parts:
  const readings = event.data.split(",").map(Number);
  // lines with more or less than three numbers are passed over:
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
  // the knob is the place, the light is the size:
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
