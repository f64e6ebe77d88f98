/*
  Call and response
  The board prints a line for each byte it receives, so this sketch sets the pace.
  Several pages can be open at once: one of them asks, and all get the replies.

  board: firmware/CallResponse
  run: serial-ws
  without a board: serial-ws --port sim:call

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (for the editor, start serial-ws with --allow-origin https://preview.p5js.org)
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;                    // the connection to serial-ws
let message = "connecting";    // shown while there is nothing to draw
let readings = [];             // the numbers of the latest line
let replies = 0;               // the number of lines received
let asked = 0;                 // when this page last asked, in milliseconds
let timer;                     // the timer for the next question

function setup() {
  createCanvas(windowWidth, windowHeight);
  textSize(18);
  connect();
}

function connect() {
  socket = new WebSocket(address);
  socket.onopen = ask;
  socket.onmessage = readLine;
  // when the connection closes, try again after a second:
  socket.onclose = tryAgain;
}

function ask() {
  // any byte will do:
  socket.send("x");
  asked = millis();
  // a reply can get lost, so ask again if none arrives within a second:
  askIn(1000);
}

function askIn(wait) {
  clearTimeout(timer);
  timer = setTimeout(ask, wait);
}

function readLine(event) {
  // a board that has just started says hello until it gets a byte:
  if (event.data === "hello") {
    askIn(random(50));
    return;
  }
  readings = event.data.split(",").map(Number);
  replies++;
  message = "";
  // wait for the time since this page last asked, at most a second. the page that asked last
  // waits the shortest, so only one page asks:
  askIn(min(millis() - asked, 1000) + random(50));
}

function draw() {
  background(250);
  noStroke();
  fill(60);
  text(message, 20, 40);
  if (readings.length === 0) return;
  text(replies + " replies: " + readings.join("  "), 20, 40);
  // a bar for each number:
  fill(0, 100, 200);
  for (let i = 0; i < readings.length; i++) {
    const length = map(readings[i], 0, 1023, 1, width - 40);
    rect(20, 80 + i * 60, length, 40);
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
