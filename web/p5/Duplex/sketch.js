/*
  Duplex
  The mouse in the left or right half lights the left or right LED; the sensor moves the circle.

  board: firmware/Duplex
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;            // the connection to serial-ws
let reading = 0;       // the latest reading of the sensor, 0 to 1023
let answered = false;  // whether a line has come since this page last wrote
let lastSent = 0;      // when that was, in milliseconds

function setup() {
  createCanvas(400, 400);
  // every page that is open writes as often as this:
  frameRate(20);
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
  // the board answers each line; an answer may be lost, so begin again after a second:
  if (answered || millis() - lastSent > 1000) sendMouse();
  background(240);
  fill(mouseX < width / 2 ? "tomato" : "teal");
  circle(map(reading, 0, 1023, 0, width), height / 2, 50);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 20);
  }
}

function send(message) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
