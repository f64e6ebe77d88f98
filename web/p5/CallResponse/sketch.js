/*
  Call and response
  Asks the board for a line, and asks again when it has come, at most twenty times a second.

  board: firmware/CallResponse
  bridge: serial-ws
*/

let socket;            // the connection to serial-ws
let knob = 0;          // the first sensor, 0 to 1023
let light = 0;         // the second sensor, 0 to 1023
let pressed = 0;       // 1 while the button is pressed
let answered = false;  // whether a line has come since the last call
let lastCall = 0;      // when this page last asked, in milliseconds

function setup() {
  createCanvas(400, 400);
  // every page that is open calls as often as this:
  frameRate(20);
  connect();
}

function connect() {
  socket = new WebSocket("ws://localhost:8080");
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  const values = event.data.split(",").map(Number);
  // hello is no reading, but a reason to ask for one:
  if (values.length === 3) {
    [knob, light, pressed] = values;
  }
  answered = true;
}

function call() {
  send("x");
  answered = false;
  lastCall = millis();
}

function draw() {
  // a call or its response may be lost, so ask again after a second:
  if (answered || millis() - lastCall > 1000) call();
  background(240);
  fill(pressed === 1 ? "tomato" : "white");
  circle(map(knob, 0, 1023, 0, width), map(light, 0, 1023, height, 0), 50);
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
