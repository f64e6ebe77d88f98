/*
  Two boards
  The knob of each board dims the LED of the other board.

  board: firmware/TwoBoards, on both boards
  run: serial-ws --port left=/dev/ttyACM0 --port right=/dev/ttyACM1
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let left;           // the connection to the left port
let right;          // the connection to the right port
let leftKnob = 0;   // the latest reading of the left knob, 0 to 255
let rightKnob = 0;  // the latest reading of the right knob

function setup() {
  createCanvas(400, 200);
  textSize(16);
  connectLeft();
  connectRight();
}

function connectLeft() {
  left = new WebSocket(address + "ports/left");
  left.onmessage = readLeft;
  // when the connection closes, try again after a second:
  left.onclose = reconnectLeft;
}

function reconnectLeft() {
  setTimeout(connectLeft, 1000);
}

function connectRight() {
  right = new WebSocket(address + "ports/right");
  right.onmessage = readRight;
  // when the connection closes, try again after a second:
  right.onclose = reconnectRight;
}

function reconnectRight() {
  setTimeout(connectRight, 1000);
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
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(number + "\n");
}

function draw() {
  background(240);
  fill(leftKnob);
  circle(100, 100, 150);
  fill(rightKnob);
  circle(300, 100, 150);
  fill("black");
  text("left knob: " + leftKnob, 65, 18);
  text("right knob: " + rightKnob, 265, 18);
  // without a connection, say so:
  if (left.readyState !== WebSocket.OPEN || right.readyState !== WebSocket.OPEN) {
    text("no connection. is serial-ws running?", 20, height - 6);
  }
}
