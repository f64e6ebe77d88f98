// The plot of the built-in page, its CSV and `view=values` agree on the table of lines.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { short } from "../../web/page/format.js";
import { MAX_SERIES, named } from "../../web/page/series.js";
import { board, open, quit, root, start, until } from "./support.mjs";

after(quit);

const table = readFileSync(join(root, "tests/values.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));

test("the plot, its CSV and view=values have the values that a person would read", async (t) => {
  const uno = await board(t);
  const bridge = await start(t, ["--port", `uno=${uno.path}`]);
  const page = await open(t, bridge.url);
  await until("the port to be open", async () => (await page.getAttribute("#state", "data-state")) === "open");
  // The first line of a port may be a part of one.
  await uno.send("\nready\n");
  await until("the first line", async () => (await page.locator("#rows").innerText()).includes("ready"));
  await page.evaluate(() => new Promise((resolve) => {
    window.messages = [];
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/?view=values`);
    socket.onmessage = ({ data }) => window.messages.push(JSON.parse(data));
    socket.onopen = resolve;
  }));
  for (const [index, { about, lines, values }] of table.entries()) {
    // Begins with a digit or a sign and is no number, so it ends every header and has no values.
    const end = `-${index}-`;
    await uno.send(`${lines.join("\n")}\n${end}\n`);
    await until(`the end of ${about}`, async () => (await page.locator("#rows .row").last().innerText()).endsWith(end));
    const found = values.filter((value) => value !== null);
    await until(`the messages of ${about}`, () => page.evaluate((count) => window.messages.length >= count, found.length));
    assert.deepEqual(await page.evaluate(() => window.messages.splice(0)), found, about);
    assert.deepEqual(await csv(page), rows(found), `CSV of ${about}`);
    assert.deepEqual(await legend(page), newest(found), `plot of ${about}`);
    await page.click("#plot-clear");
  }
});

/** Returns the newest value of each series, as the legend shows it. */
function newest(found) {
  const series = new Map();
  for (const values of found) for (const [name, value] of named(values)) series.set(name, value);
  assert.ok(series.size <= MAX_SERIES, `${series.size} series`);
  return [...series].map(([name, value]) => [name, short(Number.isFinite(value) ? value : NaN)]);
}

/** Waits until the plot was drawn, and returns the names and values of its legend. */
async function legend(page) {
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
  const series = await page.locator("#legend tbody tr").all();
  return Promise.all(series.map(async (row) => [await row.locator(".name").innerText(), await row.locator(".value").innerText()]));
}

/** Returns the rows of a CSV file as objects, without their times and without empty fields. */
async function csv(page) {
  await page.click("#plot-save summary");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#csv-all")]);
  const [names, ...lines] = readFileSync(await download.path(), "utf8").trim().split("\r\n").map((line) => line.split(",").slice(1));
  return lines.map((fields) => Object.fromEntries(fields.map((field, index) => [names[index], field]).filter(([, field]) => field !== "")));
}

/** Returns what the CSV file should have. */
function rows(found) {
  const rows = found.map((values) => [...named(values)].filter(([, value]) => Number.isFinite(value)));
  return rows.filter((row) => row.length > 0).map((row) => Object.fromEntries(row.map(([name, value]) => [name, String(value)])));
}
