/*
  WiFi client
  Boards and pages in one room, with no wire: the slider sends a number, and the circle shows the
  number that came last, whoever sent it.

  board: firmware/WiFiClient, or none: open this page twice
  bridge: serial-ws --port room=loop,lines,append=lf
*/

// serial-ws is where this page came from, if that has port 8080, or else on this computer:
const address = location.port === "8080" ? location.origin.replace("http", "ws") : "ws://localhost:8080";

let socket;      // the connection to serial-ws
let slider;      // the number that this page sends
let sent = 0;    // what was sent last
let number = 0;  // what came last, 0 to 255

function setup() {
  createCanvas(400, 300);
  slider = createSlider(0, 255, 0);
  slider.attribute("aria-label", "a number for the room");
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
  const heard = parseInt(event.data);
  if (!isNaN(heard)) number = heard;
}

function draw() {
  // send a change, at most once per frame:
  if (slider.value() !== sent) {
    sent = slider.value();
    send(sent);
  }
  background(240);
  fill("teal");
  circle(width / 2, height / 2, map(number, 0, 255, 10, height));
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
