// p5.serialserver, as its users run it, at a TCP port of choice. The package serialport that it asks for is from 2019 and
// does not build for today's Node, so it gets the newest one, with the calls of the old. Usage: node p5.cjs PORT

const Module = require("node:module");
const { SerialPort } = require("serialport");

class OldSerialPort extends SerialPort {
  constructor(path, options, opened) {
    super({ path, baudRate: 9600, ...options }, opened);
  }
}

const load = Module._load;
Module._load = (name, ...rest) => (name === "serialport" ? OldSerialPort : load(name, ...rest));

// It logs every message, which costs more than sending it.
console.log = () => {};

require("p5.serialserver").start(Number(process.argv[2]));
