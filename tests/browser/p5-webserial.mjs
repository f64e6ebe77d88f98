// What the calls of p5.webserial return, from its README and the comments in its source. The browser
// tests check that serial-ws-p5.js returns the same; tests/peers checks p5.webserial itself.

/** Each case is a list of steps: what the board sends, a call on `port`, and its result. */
export const reading = {
  "read(1) is one character": [["你好", "read(1)", "你"], ["", "read(1)", "好"], ["", "read(1)", ""]],
  "read() is all characters": [["你好", "read()", "你好"], ["", "available()", 0]],
  "read(n) counts characters": [["aé你😀b", "read(3)", "aé你"], ["", "read(1)", "😀"], ["", "read(9)", "b"]],
  "read(0) is nothing": [["a", "read(0)", ""], ["", "read()", "a"]],
  "a character in two chunks is whole": [[[0xe4, 0xbd], "read()", ""], [[0xa0], "read()", "你"]],
  "a character in four chunks is whole": [[[0xf0], "read(1)", ""], [[0x9f], "last()", ""], [[0x98], "available()", 0], [[0x80], "read()", "😀"]],
  "a character in two chunks is whole after others": [["12é".slice(0, 2), "read()", "12"], [[0xc3], "read()", ""], [[0xa9, 0x0a], "read()", "é\n"]],
  "the rest of a character at the beginning is left out": [[[0xbd, 0xa0, 0x41], "read()", "A"], [[0xbd, 0xa0, 0x42, 0x0a], "readUntil('\\n')", "B\n"]],
  "what is no character at all stays": [[[0xbd], "read()", ""], ["", "availableBytes()", 1], ["", "readByte()", 0xbd]],
  "bytes of another encoding become U+FFFD": [[[0x32, 0xb0, 0x43], "read()", "2\ufffdC"]],

  "readUntil() is a line with its end": [["12,34\r\n56", "readUntil('\\n')", "12,34\r\n"], ["", "readUntil('\\n')", ""], ["\n", "readUntil('\\n')", "56\n"]],
  "readUntil() takes more than one character": [["GO 1 STOP 2", "readUntil('STOP')", "GO 1 STOP"], ["", "read()", " 2"]],
  "readUntil() takes a character of several bytes": [["1°2°", "readUntil('°')", "1°"], ["", "available()", 2], ["", "availableBytes()", 3]],
  "readUntil() takes bytes": [["a\r\nb;", "readUntil(10)", "a\r\n"], ["", "readUntil([0x62, 0x3b])", "b;"]],
  "readUntil() finds what is split between two chunks": [["a\r", "readUntil('\\r\\n')", ""], ["\n", "readUntil('\\r\\n')", "a\r\n"]],
  "readUntil() of nothing is nothing": [["a", "readUntil('')", ""], ["", "readUntil([])", ""]],

  "last() is the newest character and discards the others": [["a你é", "last()", "é"], ["", "available()", 0], ["", "last()", ""]],
  "last() keeps the beginning of the next one": [[[0x61, 0xe4], "last()", "a"], [[0xbd, 0xa0], "last()", "你"]],
  "lastByte() is the newest byte and discards the others": [["HE\n", "lastByte()", 10], ["", "availableBytes()", 0], ["", "lastByte()", null]],

  "readByte() is the oldest byte": [["HE", "readByte()", 72], ["", "readByte()", 69], ["", "readByte()", null]],
  "readBytes(n) is an array": [["HELLO", "readBytes(2)", [72, 69]], ["", "readBytes(9)", [76, 76, 79]], ["", "readBytes(2)", []]],
  "readBytes() is all bytes": [[[0, 255, 10], "readBytes()", [0, 255, 10]], ["", "readBytes()", []]],
  "readBytesUntil() takes a byte": [["HI\nX", "readBytesUntil(10)", [72, 73, 10]], ["", "readBytesUntil(10)", []], ["", "availableBytes()", 1]],
  "readBytesUntil() takes several bytes": [[[1, 13, 2, 13, 10, 3], "readBytesUntil([13, 10])", [1, 13, 2, 13, 10]]],
  "readBytesUntil() takes text": [["1;2", "readBytesUntil(';')", [49, 59]]],
  "readBytesUntil() takes a Uint8Array": [[[7, 8, 9], "readBytesUntil(Uint8Array.of(8))", [7, 8]]],
  "readArrayBuffer() is a Uint8Array": [["abc", "readArrayBuffer(2) instanceof Uint8Array", true], ["", "readArrayBuffer().join()", "99"], ["", "readArrayBuffer().length", 0]],
  "readArrayBufferUntil() is a Uint8Array": [["a\nb", "readArrayBufferUntil(10).join()", "97,10"], ["", "readArrayBufferUntil('\\n').length", 0]],
  "a needle must be text or bytes": [
    ["a", "readUntil()", TypeError], ["", "readUntil(256)", TypeError], ["", "readUntil(1.5)", TypeError], ["", "readUntil(null)", TypeError],
    ["", "readBytesUntil(-1)", TypeError], ["", "readBytesUntil([10, 256])", TypeError], ["", "readBytesUntil(['a'])", TypeError], ["", "readBytesUntil([, 10])", TypeError],
    ["", "readArrayBufferUntil({})", TypeError], ["", "readArrayBufferUntil(true)", TypeError], ["", "readArrayBufferUntil(Uint16Array.of(10))", TypeError],
    ["", "read()", "a"],
  ],

  "available() counts characters, and availableBytes() bytes": [["你好\r\n512\r\né", "available()", 10], ["", "availableBytes()", 15], ["", "read(2)", "你好"], ["", "available()", 8], ["", "availableBytes()", 9]],
  "clear() discards everything": [["abc", "clear()", undefined], ["", "available()", 0], ["", "read()", ""], ["d", "read()", "d"]],
  "bufferSize() keeps the newest bytes": [["abcdef", "bufferSize(4)", undefined], ["", "read(1)", "c"], ["ghij", "read()", "ghij"], ["0123456", "read()", "3456"], ["", "bufferSize(1 << 20)", undefined], ["0123456", "read()", "0123456"]],
};

/** Each argument of write(), as JavaScript, with the bytes that the board receives, or the error. */
export const writing = [
  ["'HELLO'", [72, 69, 76, 76, 79]],
  ["'你'", [0xe4, 0xbd, 0xa0]],
  ["''", []],
  ["String(72)", [55, 50]],
  ["72", [72]],
  ["0", [0]],
  ["255", [255]],
  ["[72, 69, 76, 76, 79]", [72, 69, 76, 76, 79]],
  ["[]", []],
  ["Uint8Array.of(1, 2, 3).subarray(1)", [2, 3]],
  ["new Uint8Array([4, 5]).buffer", [4, 5]],
  ["new DataView(new Uint8Array([6, 7, 8]).buffer, 1)", [7, 8]],
  ["Uint16Array.of(0x4142)", [0x42, 0x41]],
  ...["256", "-1", "1.5", "NaN", "null", "undefined", "true", "{}", "[1, 256]", "[1.5]", "['1']", "[, 1]"].map((wrong) => [wrong, TypeError]),
];

/** Each list of arguments of open(), as JavaScript, and whether it is one. */
export const opening = [
  ["", true],
  ["57600", true],
  ["'Arduino'", true],
  ["'Arduino', 57600", true],
  ["'MicroPython', 57600", true],
  ["'RaspberryPi', 57600", true],
  ["'Adafruit', { baudRate: 57600 }", true],
  ["usedSerialPorts()[0]", true],
  ["usedSerialPorts()[0], 57600", true],
  ["{ usbVendorId: 0x2341 }, 57600", true],
  ["[{ usbVendorId: 0x2341 }], 57600", true],
  ["'Arduno'", false],
  ["'Arduino', '57600'", false],
  ["true", false],
  ["undefined", false],
  ["() => 1", false],
  ["'Arduino', undefined", false],
];
