/*
  Dimmer by byte
  A slider sets the brightness of an LED. Its value is sent as one byte.

  board: firmware/DimmerByte
  run: serial-ws
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;            // the connection to serial-ws
let slider;            // sets the brightness, 0 to 255
let brightness = "";   // the brightness that the board reported
let sent = 0;          // the value that was sent last

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
  // when the connection closes, try again after a second:
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
  text(brightness === "" ? "move the slider" : "the LED is at " + brightness, 20, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
