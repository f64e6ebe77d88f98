/*
  Dimmer by number
  A slider sets the brightness of an LED. Its value is sent as a line, and the board reports it back.

  board: firmware/DimmerNumber
  run: serial-ws
  without a board: serial-ws --port sim:led

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (for the editor, start serial-ws with --allow-origin https://preview.p5js.org)
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;                    // the connection to serial-ws
let message = "connecting";    // shown while there is nothing to draw
let slider;                    // sets the brightness, 0 to 255
let heard = "";                // the latest line from the board
let sent = -1;                 // the value that was sent last

function setup() {
  createCanvas(windowWidth, windowHeight);
  textSize(18);
  slider = createSlider(0, 255, 0);
  slider.position(20, 60);
  slider.size(min(400, width - 40));
  slider.attribute("aria-label", "brightness");
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
  message = "move the slider";
  // the board may have restarted, so send the value again:
  sent = -1;
}

function readLine(event) {
  heard = event.data;
}

function draw() {
  const brightness = slider.value();
  background(brightness);
  // dark text on a light background, light text on a dark one:
  fill(brightness > 127 ? 0 : 255);
  text(message, 20, 40);
  text("the board says: " + heard, 20, 120);
  // send a change, at most 20 times a second:
  if (brightness !== sent && frameCount % 3 === 0) send(brightness);
}

function send(brightness) {
  // do nothing without a connection:
  if (socket.readyState !== WebSocket.OPEN) return;
  // the line ending tells the board that the number is complete:
  socket.send(brightness + "\n");
  sent = brightness;
}

function tryAgain() {
  message = "no connection. is serial-ws running?";
  setTimeout(connect, 1000);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}
