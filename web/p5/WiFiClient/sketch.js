/*
  WiFi client
  Boards and pages share one room over WiFi: the slider sends a number, and the circle shows the
  latest number, whoever sent it.

  board: firmware/WiFiClient; without a board, open this page twice
  run: serial-ws --port room=loop,lines,append=lf
*/

// connect to the serial-ws that served this page, or, if another server did, to this computer:
const address = window.SerialWs ? SerialWs.address : "ws://localhost:8080/";

let socket;      // the connection to serial-ws
let slider;      // sets the number to send, 0 to 255
let sent = 0;    // the number that was sent last
let number = 0;  // the latest number received, 0 to 255

function setup() {
  createCanvas(400, 300);
  textSize(16);
  slider = createSlider(0, 255, 0);
  slider.attribute("aria-label", "number to send");
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
  const received = parseInt(event.data);
  if (!isNaN(received)) number = received;
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
  fill("black");
  text("the latest number: " + number, 20, 30);
  // without a connection, say so:
  if (socket.readyState !== WebSocket.OPEN) text("no connection. is serial-ws running?", 20, height - 20);
}

function send(message) {
  // send only while the connection is open:
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}
