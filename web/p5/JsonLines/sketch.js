/*
  JSON lines
  Shows the values that the board sends as an object.

  board: firmware/JsonLines
  bridge: serial-ws
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

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
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  try {
    values = JSON.parse(event.data);
  } catch (error) {
    // a line that is no object tells what is wrong:
    console.log("not JSON: " + event.data);
  }
}

function draw() {
  background(values.button === 1 ? "gold" : 240);
  // a line for each name and its value:
  let y = 40;
  for (const name in values) {
    text(name + ": " + values[name], 20, y);
    y = y + 30;
  }
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}
