/*
  Call and response
  The board prints a line for each byte that it gets, so this sketch sets the pace.
  One page at a time: a second one asks as well, and both get all answers.

  board: firmware/CallResponse
  bridge: serial-ws
  without a board: serial-ws --port sim:call

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (start serial-ws with --allow-origin https://preview.p5js.org for that one)
*/

// where serial-ws is; on a phone, the name of the computer instead of localhost:
const address = "ws://localhost:8080";

let socket;                    // the connection to serial-ws
let message = "connecting";    // what to say as long as there is nothing to draw
let readings = [];             // the numbers of the latest line
let answers = 0;               // how many lines came

function setup() {
  createCanvas(windowWidth, windowHeight);
  textSize(18);
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onopen = ask;
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = tryAgain;
}

function ask() {
  // any byte will do:
  socket.send("x");
}

function readLine(event) {
  // a board that has just started says hello until it is asked:
  if (event.data !== "hello") {
    readings = event.data.split(",").map(Number);
    answers++;
    message = "";
  }
  // ask for the next line:
  ask();
}

function draw() {
  background(250);
  noStroke();
  fill(60);
  text(message, 20, 40);
  if (readings.length === 0) return;
  text(answers + " answers: " + readings.join("  "), 20, 40);
  // a bar for each number:
  fill(0, 100, 200);
  for (let i = 0; i < readings.length; i++) {
    const long = map(readings[i], 0, 1023, 1, width - 40);
    rect(20, 80 + i * 60, long, 40);
  }
}

function tryAgain() {
  message = "no connection. is serial-ws running?";
  setTimeout(connect, 1000);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
