/*
  Dimmer by byte
  A slider sends its value as one byte, the brightness of an LED.

  board: firmware/DimmerByte
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;            // the connection to serial-ws
let slider;            // the brightness that this page wants
let brightness = "?";  // the brightness that the board told
let sent = 0;          // what was sent last

function setup() {
  createCanvas(400, 100);
  textSize(20);
  slider = createSlider(0, 255, 0);
  slider.attribute("aria-label", "brightness of the LED");
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
  brightness = event.data;
}

function draw() {
  // send a change, at most once per frame:
  if (slider.value() !== sent) {
    sent = slider.value();
    send(new Uint8Array([sent]));
  }
  background(240);
  text("the LED is at " + brightness, 20, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
