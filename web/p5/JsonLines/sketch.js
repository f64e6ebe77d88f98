/*
  JSON lines
  Shows the values of the JSON objects that the board sends.

  board: firmware/JsonLines
  run: serial-ws
  without a board: serial-ws --port sim:json
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;       // the connection to serial-ws
let values = {};  // the latest object: count, potentiometer, button

function setup() {
  createCanvas(400, 200);
  textSize(20);
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
  try {
    values = JSON.parse(event.data);
  } catch (error) {
    // show a line that is not JSON in the console:
    console.log("not JSON: " + event.data);
  }
}

function draw() {
  background(values.button === 1 ? "gold" : 240);
  // write a line for each name and its value:
  let y = 40;
  for (const name in values) {
    text(name + ": " + values[name], 20, y);
    y = y + 30;
  }
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}
