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
  fill("black");
  text("line " + values.count, 20, 40);
  rect(20, 80, map(values.potentiometer || 0, 0, 1023, 0, width - 40), 40);
}
