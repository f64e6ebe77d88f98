// Makes the picture of the README, docs/serial-ws.gif, from the real program and its real pages:
// node tests/browser/picture.mjs
//
// Needs what the tests of the pages need, TCP port 8080, and ffmpeg.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { spawn } from "../spawn.mjs";
import { launch, PROGRAM, root, sleep, start } from "./support.mjs";

const WIDTH = 1000;
const HEIGHT = 530;
const FRAMES = 28;
const FRAMES_PER_SECOND = 4;
/** How long the plot fills before the first frame, in milliseconds. */
const BEFORE = 12000;

const STAGE = `<!doctype html>
<meta charset="utf-8">
<style>
  body { margin: 0; background: #e9edf3; font: 11.5px "DejaVu Sans", sans-serif; overflow: hidden; }
  section { position: absolute; border-radius: 8px; overflow: hidden; background: white; box-shadow: 0 0 0 1px #c9d1dc; }
  h1 { margin: 0; padding: 0 10px; font: inherit; line-height: 24px; background: #f6f8fa; color: #57606a; border-bottom: 1px solid #d8dee6; }
  iframe { border: 0; transform-origin: 0 0; }
  #monitor { left: 12px; top: 12px; width: 660px; height: 506px; }
  #monitor iframe { width: 943px; height: 689px; transform: scale(0.7); }
  #sketch { left: 684px; top: 12px; width: 304px; height: 250px; }
  #sketch iframe { width: 405px; height: 301px; transform: scale(0.75); }
  #terminal { left: 684px; top: 274px; width: 304px; height: 244px; background: #1b2331; }
  #terminal h1 { background: #243044; color: #aab6c8; border-color: #2c3a52; }
  pre { margin: 0; padding: 8px 10px; font: 12px/16px "DejaVu Sans Mono", monospace; color: #d6deeb; }
</style>
<section id="monitor"><h1>localhost:8080/_serial-ws/ — the built-in page</h1><iframe src="/_serial-ws/"></iframe></section>
<section id="sketch"><h1>localhost:8080 — your own page, with p5.js</h1><iframe src="/"></iframe></section>
<section id="terminal"><h1>serial-ws connect — any program</h1><pre></pre></section>`;

const endings = [];
const folder = mkdtempSync(join(tmpdir(), "serial-ws-picture-"));
try {
  const sketch = join(root, "web/p5/SeveralSensors");
  await start({ after: (end) => endings.push(end) }, ["--port", "sim", "--web", sketch], 8080);
  const client = spawn(PROGRAM, ["connect", "--wait", "forever"], { stdio: ["ignore", "pipe", "inherit"] });
  endings.push(() => client.kill());
  let lines = [];
  client.stdout.on("data", (data) => { lines = [...lines, ...String(data).trimEnd().split("\n")].slice(-11); });

  // Pages that come out of a route count as public, which may not connect to this computer.
  const browser = await launch(["--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"]);
  endings.push(() => browser.close());
  const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT }, colorScheme: "light" });
  await page.route("**", async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/stage") return route.fulfill({ contentType: "text/html", body: STAGE });
    if (pathname === "/p5.min.js") return route.fulfill({ path: join(root, "tests/browser/node_modules/p5/lib/p5.min.js") });
    const response = await route.fetch();
    // The pages of serial-ws refuse to be framed; on this stage they are.
    const { "x-frame-options": _, "content-security-policy": __, ...headers } = response.headers();
    return route.fulfill({ response, headers });
  });
  await page.goto("http://localhost:8080/stage");
  await sleep(BEFORE);

  const begin = Date.now();
  for (let frame = 0; frame < FRAMES; frame++) {
    await sleep(begin + (frame * 1000) / FRAMES_PER_SECOND - Date.now());
    const text = `$ serial-ws connect\n${lines.join("\n")}`;
    await page.evaluate((text) => { document.querySelector("pre").textContent = text; }, text);
    const name = `${String(frame).padStart(3, "0")}.png`;
    writeFileSync(join(folder, name), await page.screenshot());
  }

  const palette = "split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse=dither=none:diff_mode=rectangle";
  execFileSync("ffmpeg", [
    "-v", "error", "-y", "-framerate", String(FRAMES_PER_SECOND), "-i", join(folder, "%03d.png"),
    "-vf", palette, join(root, "docs/serial-ws.gif"),
  ]);
} finally {
  for (const end of endings.reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
}
