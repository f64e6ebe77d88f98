// Shows the last lines that the board said.

const kept = 200;
const shown = document.querySelector("#lines");
const lines = [];
let drawing = false;

function connect() {
  const socket = new WebSocket(location.origin.replace(/^http/, "ws"));
  socket.onmessage = (event) => show(event.data);
  socket.onclose = (event) => {
    show(`(closed${event.reason ? `: ${event.reason}` : ""}; trying again)`);
    setTimeout(connect, 1000);
  };
}

function show(line) {
  lines.push(typeof line === "string" ? line : `(${line.size} bytes)`);
  lines.splice(0, lines.length - kept);
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
}

function draw() {
  drawing = false;
  shown.textContent = lines.join("\n");
  shown.scrollTop = shown.scrollHeight;
}

connect();
