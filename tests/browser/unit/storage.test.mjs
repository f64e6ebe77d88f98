// The data that the page keeps: bounded memory, and correct gaps.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Log, MAX_CHARACTERS, MAX_ROWS } from "../../../web/page/log.js";
import { scale } from "../../../web/page/axis.js";
import { limit, pan, zoom } from "../../../web/page/window.js";
import { MAX_SAMPLES, MAX_SERIES, Table } from "../../../web/page/series.js";

const line = (text) => ({ kind: "line", text, t: 0 });
const sample = (object) => new Map(Object.entries(object));

test("a log keeps only the newest rows", () => {
  const log = new Log();
  for (let index = 0; index < MAX_ROWS * 3; index++) log.add(line(String(index)));
  assert.equal(log.end, MAX_ROWS * 3);
  assert.ok(log.length <= MAX_ROWS * 1.2);
  assert.equal(log.slice(log.end - 1)[0].text, String(MAX_ROWS * 3 - 1));
  assert.equal(log.slice(log.start)[0].text, String(log.start));
});

test("a log of long lines is bounded by their characters", () => {
  const log = new Log();
  let most = 0;
  for (let index = 0; index < 2000; index++) {
    log.add(line("x".repeat(16384)));
    most = Math.max(most, log.length * 16384);
  }
  assert.ok(most <= MAX_CHARACTERS * 1.2 + 16384, String(most));
  assert.ok(log.length > 100);
});

test("a table overwrites the oldest samples", () => {
  const table = new Table();
  for (let index = 0; index < MAX_SAMPLES + 10; index++) table.add(index, sample({ a: index }));
  assert.equal(table.start, 10);
  assert.equal(table.time(table.start), 10);
  assert.equal(table.at(500.5), 501);
  assert.equal(table.at(0), 10);
  assert.deepEqual(table.range(["a"], table.start, table.end), { low: 10, high: MAX_SAMPLES + 9 });
});

test("a table ignores series beyond its limit", () => {
  const table = new Table();
  for (let index = 0; index < 1000; index++) table.add(index, sample({ [`s${index}`]: 1 }));
  assert.equal(table.series.size, MAX_SERIES);
});

test("the sums of any rows are those of their values, also after the table has wrapped", () => {
  const table = new Table();
  const value = (index) => (index % 7 === 0 ? NaN : Math.sin(index) * 1e308);
  for (let index = 0; index < MAX_SAMPLES + 1000; index++) table.add(index, sample({ a: value(index) }));
  for (const [from, to] of [[table.start, table.end], [2000, 2001], [2100, 2100], [2003, 2500], [table.end - 333, table.end]]) {
    const values = Array.from({ length: to - from }, (_, index) => value(from + index)).filter((value) => !Number.isNaN(value));
    const { count, low, high, mean } = table.summary("a", from, to);
    assert.equal(count, values.length);
    assert.equal(low, values.reduce((a, b) => Math.min(a, b), Infinity));
    assert.equal(high, values.reduce((a, b) => Math.max(a, b), -Infinity));
    if (count > 0) assert.ok(Math.abs(mean / 1e308 - values.reduce((sum, value) => sum + value / 1e308, 0) / count) < 1e-9);
  }
});

test("a window is zoomed about a time, panned, and kept within what there is", () => {
  assert.deepEqual(zoom({ start: 0, end: 10 }, 0.5, 2), { start: 1, end: 6 });
  assert.deepEqual(zoom({ start: 0, end: 10 }, 1e-9, 5), { start: 4.99, end: 5.01 });
  assert.deepEqual(pan({ start: 0, end: 10 }, -3), { start: -3, end: 7 });
  const kept = { start: 100, end: 200 };
  assert.deepEqual(limit({ start: 90, end: 110 }, kept), { start: 100, end: 120 });
  assert.deepEqual(limit({ start: 190, end: 210 }, kept), { start: 180, end: 200 });
  assert.deepEqual(limit({ start: 0, end: 1000 }, kept), kept);
});

test("alternating series keep their last value, but not across a gap", () => {
  const table = new Table();
  table.add(1, sample({ a: 1 }));
  table.add(2, sample({ b: 2 }));
  assert.equal(table.value("a", 1), 1);
  table.gap();
  assert.ok(Number.isNaN(table.value("a", 2)));
  assert.deepEqual(table.range(["a", "b"], 0, table.end), { low: 1, high: 2 });
  assert.equal(table.csv(), "time,a,b\r\n1.000000,1,\r\n2.000000,,2\r\n");
});

test("times in a table never go back", () => {
  const table = new Table();
  table.add(5, sample({ a: 1 }));
  table.add(4, sample({ a: 1 }));
  assert.equal(table.time(1), 5);
});

test("a scale grows at once and shrinks slowly", () => {
  const first = scale(undefined, { low: 0, high: 100 });
  assert.ok(first.low < 0 && first.high > 100);
  assert.ok(scale(first, { low: 0, high: 200 }).high > 200);
  const after = scale(first, { low: 0, high: 10 });
  assert.ok(after.high < first.high && after.high > 90);
  assert.ok(scale(undefined, { low: 5, high: 5 }).high > 5);
  // A scale that is far too large jumps back at once.
  for (const range of [{ low: 0, high: 1e9 }, { low: -1e308, high: 1e308 }]) {
    const far = scale(scale(first, range), range);
    assert.deepEqual(scale(far, { low: 0, high: 100 }), first);
  }
});
