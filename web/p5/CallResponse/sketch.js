/*
  Call and response
  The board prints a line for each byte that it gets, so this sketch sets the pace.
  Several pages can be open: one of them asks, and all get the answers.

  board: firmware/CallResponse
  bridge: serial-ws
  without a board: serial-ws --port sim:call

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (start serial-ws with --allow-origin https://preview.p5js.org for that one)
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;                    // the connection to serial-ws
let message = "connecting";    // what to say as long as there is nothing to draw
let readings = [];             // the numbers of the latest line
let answers = 0;               // how many lines came
let asked = 0;                 // when this page asked last, in milliseconds
let timer;                     // when it is to ask next

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
  asked = millis();
  // an answer can be lost, so ask again if none comes within a second:
  askIn(1000);
}

function askIn(wait) {
  clearTimeout(timer);
  timer = setTimeout(ask, wait);
}

function readLine(event) {
  // a board that has just started says hello until it is asked:
  if (event.data === "hello") {
    askIn(random(50));
    return;
  }
  readings = event.data.split(",").map(Number);
  answers++;
  message = "";
  // ask for the next line after as long as the answer took, but a second at most. who has not
  // asked for long waits longest, and so only one page asks:
  askIn(min(millis() - asked, 1000) + random(50));
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
  clearTimeout(timer);
  message = "no connection. is serial-ws running?";
  setTimeout(connect, 1000);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
