/*
  Dimmer by number
  A slider dims an LED: its value goes to the board as a line, and the board tells it back.

  board: firmware/DimmerNumber
  bridge: serial-ws
  without a board: serial-ws --port sim:led

  works from serial-ws --web, from a local web server, and in the p5 web editor
  (start serial-ws with --allow-origin https://preview.p5js.org for that one)
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;                    // the connection to serial-ws
let message = "connecting";    // what to say as long as there is nothing to draw
let slider;                    // 0 to 255
let heard = "";                // what the board told back
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
  // when the connection ends, try again a second later:
  socket.onclose = tryAgain;
}

function opened() {
  message = "move the slider";
  // the board may have been restarted, so tell it again:
  sent = -1;
}

function readLine(event) {
  heard = event.data;
}

function draw() {
  const brightness = slider.value();
  background(brightness);
  // dark text on light ground, and light text on dark ground:
  fill(brightness > 127 ? 0 : 255);
  text(message, 20, 40);
  text("the board says: " + heard, 20, 120);
  // send what has changed, at most 20 times a second:
  if (brightness !== sent && frameCount % 3 === 0) send(brightness);
}

function send(brightness) {
  // only an open connection can send:
  if (socket.readyState !== WebSocket.OPEN) return;
  // the line end says that the number is complete:
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
