/*
  One number
  A circle as large as the reading of the sensor.

  board: firmware/OneNumber
  bridge: serial-ws
*/

let socket;       // the connection to serial-ws
let reading = 0;  // the latest reading of the sensor, 0 to 1023

function setup() {
  createCanvas(400, 400);
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
  const number = parseInt(event.data);
  // pass over what is no number:
  if (!isNaN(number)) reading = number;
}

function draw() {
  background(240);
  fill("teal");
  circle(width / 2, height / 2, map(reading, 0, 1023, 10, width));
}
