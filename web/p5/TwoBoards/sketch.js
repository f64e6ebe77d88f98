/*
  Two boards
  The knob of each board dims the LED of the other.

  board: firmware/TwoBoards, on both
  bridge: serial-ws --port left=/dev/ttyACM0 --port right=/dev/ttyACM1
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let left;          // the connections to the two ports
let right;
let leftKnob = 0;  // the latest readings of the knobs, 0 to 255
let rightKnob = 0;

function setup() {
  createCanvas(400, 200);
  connectLeft();
  connectRight();
}

function connectLeft() {
  left = new WebSocket(address + "/ports/left");
  left.onmessage = readLeft;
  // when the connection ends, try again a second later:
  left.onclose = () => setTimeout(connectLeft, 1000);
}

function connectRight() {
  right = new WebSocket(address + "/ports/right");
  right.onmessage = readRight;
  right.onclose = () => setTimeout(connectRight, 1000);
}

function readLeft(event) {
  leftKnob = Number(event.data);
  send(right, leftKnob);
}

function readRight(event) {
  rightKnob = Number(event.data);
  send(left, rightKnob);
}

function send(socket, number) {
  // only an open connection can send:
  if (socket.readyState === WebSocket.OPEN) socket.send(number + "\n");
}

function draw() {
  background(240);
  fill(leftKnob);
  circle(100, 100, 150);
  fill(rightKnob);
  circle(300, 100, 150);
  // without a connection, say so:
  if (left.readyState !== WebSocket.OPEN || right.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 6);
  }
}
