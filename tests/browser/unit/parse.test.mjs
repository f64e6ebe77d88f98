// How the page parses and formats lines, without a browser: node --test tests/browser/unit
import assert from "node:assert/strict";
import { test } from "node:test";

import { SeriesParser, csvField, hex, short, ticks, visible } from "../../../web/page/parse.js";

function check(lines, expected) {
  const parser = new SeriesParser();
  const all = [].concat(lines);
  const results = all.map((line) => parser.parse(line));
  const last = results.at(-1);
  assert.deepEqual(last && Object.fromEntries(last), expected, JSON.stringify(lines));
}

test("a plain number is one series", () => {
  check("512", { value: 512 });
  check(" -3.5 ", { value: -3.5 });
  check("+1e3", { value: 1000 });
  check(".5", { value: 0.5 });
  check("nan", { value: NaN });
});

test("numbers are separated by commas, tabs, semicolons or spaces", () => {
  const three = { "value 1": 1, "value 2": -2.5, "value 3": 3 };
  check("1,-2.5,3", three);
  check("1, -2.5 , 3,", three);
  check("1\t-2.5\t3", three);
  check("1;-2.5;3", three);
  check("1  -2.5   3", three);
});

test("a header names the columns as long as their number matches", () => {
  check(["temp,humidity", "21.5,40"], { temp: 21.5, humidity: 40 });
  check(["temp\thumidity", "21.5\t40"], { temp: 21.5, humidity: 40 });
  check(["temp,humidity", "1,2,3"], { "value 1": 1, "value 2": 2, "value 3": 3 });
  check(["hello, board", "12"], { value: 12 });
});

test("a text column keeps its position", () => {
  check("1,ready,3", { "value 1": 1, "value 3": 3 });
});

test("labels name their values", () => {
  check("light:80", { light: 80 });
  check("a:1,b:2", { a: 1, b: 2 });
  check("a: 1\tb: -2.5", { a: 1, b: -2.5 });
  check("sensor = 523", { sensor: 523 });
  check("Temperature: 23.5C, Humidity: 40%", { Temperature: 23.5, Humidity: 40 });
  check("größe:4", { größe: 4 });
  check("a:nan", { a: NaN });
});

test("a unit is not part of the next label", () => {
  check("Humidity: 45.00%  Temperature: 23.00°C 73.40°F  Heat index: 25.0°C 77.0°F", { Humidity: 45, Temperature: 23, "Heat index": 25 });
  check("Humidity: 45.00 %\tTemperature: 23.00 *C 73.40 *F\tHeat index: 25.0 *C", { Humidity: 45, Temperature: 23, "Heat index": 25 });
  check("Temp: 20.5C Hum: 40%", { Temp: 20.5, Hum: 40 });
  check("Distance: 10.5cm Duration: 600us", { Distance: 10.5, Duration: 600 });
  check("I (312) main: count=5", { count: 5 });
});

test("boot messages are not data", () => {
  check("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)", undefined);
  check("clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00", undefined);
  check("load:0x3fff0018", undefined);
  check("MAC: 24:0A:C4:00:01:10", undefined);
  check("http://10.0.0.1:80/", undefined);
});

test("JSON objects and arrays give the numbers in them", () => {
  check('{"x":1,"y":{"z":2},"on":true,"name":"uno"}', { x: 1, "y.z": 2, on: 1 });
  check("[1,2]", { "value 1": 1, "value 2": 2 });
  check('{"x":', undefined);
  check('{"x":nan,"y":1}', { x: NaN, y: 1 });
  check('{"name":"uno"}', undefined);
});

test("other text gives no values", () => {
  for (const line of ["", "hello", "Listening on port 80 with 3 sensors", "12:30:45", "<script>alert(1)</script>", "1".repeat(5000)]) {
    check(line, undefined);
  }
  check("started at 12:30:45", undefined);
});

test("no line takes long to parse", () => {
  const before = Date.now();
  for (const piece of ["a", "a ", "a:", "1,", "1e", "{", "[", "a=1 ", ": ", "_ "]) {
    new SeriesParser().parse(piece.repeat(4096 / piece.length));
  }
  assert.ok(Date.now() - before < 1000, `${Date.now() - before} ms`);
});

test("control characters are made visible", () => {
  assert.equal(visible("\x1b[31mred\x07\0"), "‹ESC›[31mred‹BEL›‹NUL›");
  assert.equal(visible("a\tb"), "a\tb");
  assert.equal(visible("\x7f\u202e\u200b"), "‹DEL›‹U+202E›‹U+200B›");
  assert.equal(visible("<b>é</b>"), "<b>é</b>");
});

test("a hex dump shows offset, bytes and characters", () => {
  const [row, next] = hex(Uint8Array.from({ length: 17 }, (_, index) => index + 60), 16);
  assert.equal(row, "00000010  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK");
  assert.match(next, /^00000020  4c {47,}L$/);
});

test("ticks are round, few, and distinguishable", () => {
  const texts = (low, high, about = 5) => ticks(low, high, about).map(([, text]) => text);
  assert.deepEqual(ticks(0, 1023, 5), [[0, "0"], [500, "500"], [1000, "1000"]]);
  assert.deepEqual(texts(-1, 1, 4), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
  assert.deepEqual(texts(12345670, 12345690, 4), ["12345670", "12345675", "12345680", "12345685", "12345690"]);
  assert.deepEqual(texts(101325, 101326, 4), ["101325.0", "101325.5", "101326.0"]);
  assert.deepEqual(texts(0, 5e-8, 5), ["0e+0", "1e-8", "2e-8", "3e-8", "4e-8", "5e-8"]);
  assert.deepEqual(texts(1e16, 1.2e16, 2), ["1.0e+16", "1.1e+16", "1.2e+16"]);
  assert.deepEqual(ticks(1, 1, 5), []);
  assert.ok(ticks(0, 1e308, 5).length < 20);
});

test("values are short, but keep their significant digits", () => {
  assert.equal(short(0.1 + 0.2), "0.3");
  assert.equal(short(1 / 3), "0.333333333");
  assert.equal(short(12345678), "12345678");
  assert.equal(short(4294967295), "4294967295");
  assert.equal(short(1.5e20), "1.50e+20");
  assert.equal(short(0.00001234), "1.23e-5");
  assert.equal(short(NaN), "–");
});

test("a field of a CSV file is never a formula", () => {
  assert.equal(csvField("=cmd|x"), "'=cmd|x");
  assert.equal(csvField('a,"b"'), '"a,""b"""');
  assert.equal(csvField("temp"), "temp");
});
