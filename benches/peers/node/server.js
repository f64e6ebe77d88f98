// A typical Node bridge: sends each line of the serial port to every client, and writes
// what clients send to the port. Usage: node server.js TTY PORT

import { ReadlineParser, SerialPort } from "serialport";
import { WebSocketServer } from "ws";

const [path, port] = process.argv.slice(2);

const serial = new SerialPort({ path, baudRate: 115200 });
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port) });

serial.pipe(new ReadlineParser({ delimiter: "\n" })).on("data", (line) => {
  for (const client of server.clients) {
    client.send(line);
  }
});

server.on("connection", (client) => {
  client.on("message", (message) => serial.write(message));
});
