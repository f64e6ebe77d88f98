/*
  One number
  Draws a graph of a sensor that sends one number per line.

  board: firmware/OneNumber
  run: serial-ws
  without a board: serial-ws --port sim

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (for the editor, start serial-ws with --allow-origin https://preview.p5js.org)
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;                    // the connection to serial-ws
let message = "connecting";    // shown while there is nothing to draw
let readings = [];             // the latest readings, one per pixel

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
  // take the number at the beginning of the line:
  const reading = parseInt(event.data);
  // skip lines without one:
  if (isNaN(reading)) return;
  message = "";
  readings.push(reading);
  // keep only as many as fit on the canvas:
  if (readings.length > width) readings.shift();
}

function draw() {
  background(250);
  noStroke();
  fill(60);
  text(message, 20, 40);
  if (readings.length === 0) return;
  // the latest reading as a number:
  text(readings[readings.length - 1], 20, 40);
  // all readings as a curve, with the latest on the right:
  noFill();
  stroke(0, 100, 200);
  strokeWeight(2);
  beginShape();
  for (let i = 0; i < readings.length; i++) {
    const x = width - readings.length + i;
    const y = map(readings[i], 0, 1023, height - 20, 60);
    vertex(x, y);
  }
  endShape();
}

function tryAgain() {
  message = "no connection. is serial-ws running?";
  setTimeout(connect, 1000);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
