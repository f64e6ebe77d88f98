// Java, with its own WebSocket.
//
// large: a JDK
// needs program: javac from default-jdk-headless
// needs program: python3
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

test("the example for Java runs as pasted", async (t) => {
  const [example] = examples("docs/other-languages.md", "Java", "java");
  await check(t, example, "Lines.java", (path) => ["java", path]);
});
