/*
  Several sensors
  The first sensor moves the circle across, the second up, and the button fills it.

  board: firmware/SeveralSensors
  bridge: serial-ws
*/

let socket;       // the connection to serial-ws
let knob = 0;     // the first sensor, 0 to 1023
let light = 0;    // the second sensor, 0 to 1023
let pressed = 0;  // 1 while the button is pressed

function setup() {
  createCanvas(400, 400);
  connect();
}

function connect() {
  socket = new WebSocket("ws://localhost:8080");
  socket.onmessage = readLine;
  // when the connection ends, try again a second later:
  socket.onclose = reconnect;
}

function reconnect() {
  setTimeout(connect, 1000);
}

function readLine(event) {
  const values = event.data.split(",").map(Number);
  // a whole line has three numbers:
  if (values.length === 3) {
    [knob, light, pressed] = values;
  }
}

function draw() {
  background(240);
  fill(pressed === 1 ? "tomato" : "white");
  circle(map(knob, 0, 1023, 0, width), map(light, 0, 1023, height, 0), 50);
}
