// The place in a recording, without a browser: node --test tests/browser/unit
import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, placeAfter } from "../../../web/page/playback.js";

test("durations have minutes and seconds, and hours where there are any", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(9.99), "0:09");
  assert.equal(duration(3599), "59:59");
  assert.equal(duration(3661), "1:01:01");
});

test("the place goes on by the speed until the end, unless it is paused", () => {
  const playback = { position: 10, length: 20, speed: 2, paused: false };
  assert.equal(placeAfter(playback, 3), 16);
  assert.equal(placeAfter(playback, 30), 20);
  assert.equal(placeAfter({ ...playback, paused: true }, 3), 10);
  assert.equal(placeAfter({ ...playback, speed: "max" }, 3), 10);
  assert.equal(placeAfter({ ...playback, length: undefined }, 30), 70);
});
