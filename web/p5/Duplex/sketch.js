/*
  Duplex
  The mouse switches on the LED of its half, left or right. The sensor moves the circle.

  board: firmware/Duplex
  run: serial-ws
  without a board: serial-ws --port sim
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;            // the connection to serial-ws
let reading = 0;       // the latest reading of the sensor, 0 to 1023
let answered = false;  // true if a line has arrived since this page last sent one
let lastSent = 0;      // when this page last sent a line, in milliseconds

function setup() {
  createCanvas(400, 400);
  textSize(16);
  // send at most 20 times a second:
  frameRate(20);
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
  const number = parseInt(event.data);
  if (!isNaN(number)) reading = number;
  answered = true;
}

function sendMouse() {
  const left = mouseX < width / 2 ? 1 : 0;
  send(left + "," + (1 - left) + "\n");
  answered = false;
  lastSent = millis();
}

function draw() {
  // the board answers each line. an answer may get lost, so start over after a second:
  if (answered || millis() - lastSent > 1000) sendMouse();
  background(240);
  fill(mouseX < width / 2 ? "tomato" : "teal");
  circle(map(reading, 0, 1023, 0, width), height / 2, 50);
  fill("black");
  text("point at the left half or the right half", 20, 30);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
