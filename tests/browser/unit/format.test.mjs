// How the page names and formats values, without a browser: node --test tests/browser/unit
import assert from "node:assert/strict";
import { test } from "node:test";

import { position, scale, ticks, timeTicks, valueAt } from "../../../web/page/axis.js";
import { plain, runs } from "../../../web/page/ansi.js";
import { csvField, frame, hex, short, visible } from "../../../web/page/format.js";
import { GAP, named } from "../../../web/page/series.js";

test("values are named by their names or by their place", () => {
  const check = (values, expected) => assert.deepEqual([...named(values)], expected);
  check({ light: 80, temp: 21.5 }, [["light", 80], ["temp", 21.5]]);
  check([512], [["value", 512]]);
  check([512, null, 0], [["value 1", 512], ["value 2", GAP], ["value 3", 0]]);
  check({ a: null }, [["a", GAP]]);
});

test("control characters are made visible", () => {
  assert.equal(visible("\x1b[31mred\x07\0"), "‹ESC›[31mred‹BEL›‹NUL›");
  assert.equal(visible("a\tb"), "a\tb");
  assert.equal(visible("\x7f\u202e\u200b"), "‹DEL›‹U+202E›‹U+200B›");
  assert.equal(visible("<b>é</b>"), "<b>é</b>");
});

test("a hex dump shows offset, bytes and characters", () => {
  const [row, next] = hex(Uint8Array.from({ length: 17 }, (_, index) => index + 60), 16);
  assert.equal(row, "000010  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK");
  assert.match(next, /^000020  4c {47,}L$/);
});

test("a frame shows its text, or its bytes and how many they are", () => {
  assert.equal(frame("a,1\tä"), "a,1\tä");
  assert.equal(frame("A\0\x01"), "41 00 01  (3 bytes)");
  assert.equal(frame("\ufffd", btoa("\xc0")), "c0  (1 byte)");
});

test("ticks are round, few, and distinguishable", () => {
  const texts = (low, high, about = 5) => ticks({ low, high }, about).map(([, text]) => text);
  assert.deepEqual(ticks({ low: 0, high: 1023 }, 5), [[0, "0"], [500, "500"], [1000, "1000"]]);
  assert.deepEqual(texts(-1, 1, 4), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
  assert.deepEqual(texts(12345670, 12345690, 4), ["12345670", "12345675", "12345680", "12345685", "12345690"]);
  assert.deepEqual(texts(101325, 101326, 4), ["101325.0", "101325.5", "101326.0"]);
  assert.deepEqual(texts(0, 5e-8, 5), ["0", "1e-8", "2e-8", "3e-8", "4e-8", "5e-8"]);
  assert.deepEqual(texts(1e16, 1.2e16, 2), ["1.0e16", "1.1e16", "1.2e16"]);
  assert.deepEqual(ticks({ low: 1, high: 1 }, 5), []);
  assert.ok(ticks({ low: 0, high: 1e308 }, 5).length < 20);
});

test("an axis is readable from the smallest to the largest numbers", () => {
  for (let power = -300; power <= 308; power++) {
    for (const [low, high] of [[0, 1], [-1, 1], [1, 1.2], [-9, -1]]) {
      const range = { low: Math.max(low * 10 ** power, -Number.MAX_VALUE), high: Math.min(high * 10 ** power, Number.MAX_VALUE) };
      const shown = scale(undefined, range);
      const found = ticks(shown, 5);
      assert.ok(found.length >= 2 && found.length <= 12, `${found.length} ticks from ${range.low} to ${range.high}`);
      assert.equal(new Set(found.map(([, text]) => text)).size, found.length, String(found));
      for (const [value, text] of found) {
        assert.ok(text.length <= 16, text);
        const at = position(shown, value);
        assert.ok(at >= -1e-9 && at <= 1 + 1e-9, `${value} is at ${at}`);
      }
      for (const value of [range.low, range.high]) assert.ok(position(shown, value) >= 0 && position(shown, value) <= 1, `${value}`);
    }
  }
  const widest = { low: -Number.MAX_VALUE, high: Number.MAX_VALUE };
  assert.deepEqual([0, 0.5, 1].map((at) => position(widest, valueAt(widest, at))), [0, 0.5, 1]);
});

test("times on the axis are round, and distinguishable at any zoom", () => {
  for (const span of [0.02, 0.3, 1, 5, 10, 61, 300, 4000, 90000, 1e7]) {
    const texts = timeTicks({ start: 1.8e9 + 0.123, end: 1.8e9 + 0.123 + span }, 8).map(([, text]) => text);
    assert.ok(texts.length >= 2 && texts.length <= 9, `${span}: ${texts}`);
    assert.equal(new Set(texts).size, texts.length, `${span}: ${texts}`);
  }
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
  assert.equal(csvField("\n=1+1"), "' =1+1");
  assert.equal(csvField("a;=1+1"), "\"'a;=1+1\"");
  assert.equal(csvField("  @x"), "'  @x");
  assert.equal(csvField("x-y"), "x-y");
});

test("colours of text are found, and nothing else is taken out of it", () => {
  const check = (text, expected) => assert.deepEqual(runs(text).map(({ text, classes }) => [text, classes.join(" ")]), expected, JSON.stringify(text));
  check("plain", [["plain", ""]]);
  check("\x1b[0;32mI (12) main: ok\x1b[0m", [["I (12) main: ok", "fg2"]]);
  check("a\x1b[1;4;91mb\x1b[22mc\x1b[md", [["a", ""], ["b", "fg9 bold underline"], ["c", "fg9 underline"], ["d", ""]]);
  check("\x1b[38;5;196mred\x1b[48;2;0;0;255mon blue\x1b[39;49m.", [["red", "fg9"], ["on blue", "fg9 bg12"], [".", ""]]);
  check("\x1b[38:2:255:255:255mw", [["w", "fg15"]]);
  check("\x1b[38;5mx\x1b[38;9;1my\x1b[999mz", [["x", ""], ["y", "bold"], ["z", "bold"]]);
  check("\x1b[2J\x1b[31", [["\x1b[2J\x1b[31", ""]]);
  check("\x1b[8mhidden", [["hidden", ""]]);
  assert.equal(plain("\x1b[31mred\x1b[0m \x1b[2J"), "red \x1b[2J");
});
