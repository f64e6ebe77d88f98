/*
  Labelled values
  Draws a bar for each labelled value that the board sends.

  board: firmware/LabelledValues
  run: serial-ws
  without a board: serial-ws --port sim:labels
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;       // the connection to serial-ws
let values = {};  // the latest value for each label

function setup() {
  createCanvas(400, 200);
  textSize(16);
  connect();
}

function connect() {
  // ask for the numbers in the lines, with their labels:
  socket = new WebSocket(address + "?view=values");
  socket.onmessage = readValues;
  // when the connection closes, try again after a second:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readValues(event) {
  // a message such as {"potentiometer":512,"light":300}:
  values = JSON.parse(event.data);
}

function draw() {
  background(240);
  let y = 20;
  for (const label in values) {
    fill("black");
    text(label, 20, y + 15);
    fill("teal");
    rect(140, y, map(values[label], 0, 1023, 0, width - 160), 20);
    y = y + 40;
  }
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) {
    fill("black");
    text("no connection. is serial-ws running?", 20, height - 20);
  }
}
