// The sketch for Processing, with the core of Processing 1.2.1 that Debian has.
//
// large: a JDK with windows
// needs program: javac from default-jdk-headless
// needs program: xvfb-run from xvfb
// needs program: /usr/share/java/processing-core.jar from libprocessing-core-java
// needs program: /usr/lib/jvm/default-java/lib/libawt_xawt.so from default-jre
// needs program: python3
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { check, examples } from "./documents.mjs";

const CORE = "/usr/share/java/processing-core.jar";

/** What Processing makes of a sketch before it compiles it, with a frame that prints what was read. */
function preprocessed(sketch) {
  const imports = sketch.match(/^import .*$/gm).join("\n");
  const body = sketch.replace(/^import .*$/gm, "").replace(/^void /gm, "public void ").replace(/\bfloat\(/g, "parseFloat(").replace(/= 0;/, "= 0f;");
  return `import processing.core.*;
${imports}
public class Lines extends PApplet {
${body}
  public void handleDraw() { super.handleDraw(); println(reading); }
  public static void main(String[] arguments) { PApplet.main(new String[] { "Lines" }); }
}`;
}

test("the sketch for Processing draws what the board sends", async (t) => {
  const [example] = examples("docs/other-languages.md", "Processing", "processing");
  const command = (path, folder) => {
    execFileSync("javac", ["-nowarn", "-cp", CORE, path], { stdio: ["ignore", "ignore", "inherit"] });
    return ["xvfb-run", "-a", "java", "-cp", `${CORE}:${folder}`, "Lines"];
  };
  await check(t, preprocessed(example), "Lines.java", command, { expected: /^512\.0$/m, sends: false });
});
