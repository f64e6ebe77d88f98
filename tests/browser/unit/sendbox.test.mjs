// How the page splits what is to be sent, without a browser: node --test tests/browser/unit
import assert from "node:assert/strict";
import { test } from "node:test";

import { messages } from "../../../web/page/sendbox.js";

function check(text, ending, isAdded, expected) {
  assert.deepEqual(messages(text, ending, isAdded), expected, JSON.stringify([text, ending, isAdded]));
}

test("each line gets the ending that is chosen", () => {
  check("H", "\n", false, ["H\n"]);
  check("a\nb\n", "\n", false, ["a\n", "b\n"]);
  check("a\n\nb", "\r\n", false, ["a\r\n", "\r\n", "b\r\n"]);
  check("a\nb", "\r", false, ["a\r", "b\r"]);
  check("", "\n", false, ["\n"]);
  check("\n", "\n", false, ["\n"]);
});

test("without an ending to add, the text stays as it is", () => {
  check("H", "", false, ["H"]);
  check("a\nb", "", false, ["a\n", "b"]);
  check("a\n\nb\n", "", false, ["a\n", "\n", "b\n"]);
});

test("where serial-ws adds the ending, each line is a message without any", () => {
  check("a\nb\n", "\n", true, ["a", "b"]);
  check("a\n\nb", "", true, ["a", "", "b"]);
});
