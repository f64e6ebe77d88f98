// nginx and Caddy before serial-ws, at the root and under a path prefix, with pages in Chromium. Their
// configuration is what SECURITY.md says to write.
//
// needs program: nginx from nginx-light
// needs program: caddy from caddy
// needs program: chromium from chromium
// needs npm: playwright-core@1.64.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { spawn } from "../spawn.mjs";
import { freePort, load, root, start, until, within } from "./support.mjs";

/** What people outside call the proxy; the browser finds it here. */
const NAME = "lab.example";
const TOKEN = "a-token-for-the-lab";

/** The lines of SECURITY.md that begin so, with the address of serial-ws in them. */
function documented(opening, port) {
  const blocks = readFileSync(join(root, "SECURITY.md"), "utf8").split("```");
  const block = blocks.find((block) => block.trimStart().startsWith(opening));
  assert.ok(block, `SECURITY.md has no lines that begin with ${opening}`);
  return block.trim().replace("127.0.0.1:8080", `127.0.0.1:${port}`);
}

/** The proxies: the configuration with these places, each a path and the TCP port of a serial-ws. */
const proxies = {
  nginx(folder, listen, places) {
    const locations = places.map(([path, port]) => documented("location", port).replace("/lab/", path));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    const file = join(folder, "nginx.conf");
    writeFileSync(file, `pid ${folder}/pid; error_log stderr; daemon off; worker_processes 1;
      events {} http { access_log off; ${temporary.join(" ")} server { listen 127.0.0.1:${listen}; ${locations.join("\n")} } }`);
    return ["nginx", ["-c", file, "-e", "stderr"]];
  },
  caddy(folder, listen, places) {
    const routes = places.map(([path, port]) => documented("handle_path", port).replace("/lab/", path));
    const file = join(folder, "Caddyfile");
    writeFileSync(file, `{\nadmin off\nauto_https off\n}\nhttp://:${listen} {\nbind 127.0.0.1\n${routes.join("\n")}\n}\n`);
    return ["caddy", ["run", "--config", file, "--adapter", "caddyfile"]];
  },
};

let browser;
after(() => browser?.close());

/** Starts a proxy before two serial-ws: one at the root, and one that serves a folder under /lab/. */
async function before(t, proxy) {
  const folder = mkdtempSync(join(tmpdir(), "serial-ws-proxy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
  const token = join(folder, "token");
  writeFileSync(token, TOKEN, { mode: 0o600 });
  const web = join(folder, "web");
  cpSync(join(root, "web/plain"), join(web, "plain"), { recursive: true });
  writeFileSync(join(web, "index.html"), "<title>mine</title>");
  mkdirSync(join(web, "deep/er"), { recursive: true });
  writeFileSync(join(web, "deep/er/index.html"), `<p id="reading"></p><script src="serial-ws.js"></script>
    <script>const serial = new SerialWs({ port: "sensor" }).on("line", (text) => { reading.textContent = text; });</script>`);
  const options = ["--port", "sensor=sim", "--token", token, "--allow-host", NAME];
  const bridges = [await start(t, ...options), await start(t, ...options, "--web", web)];
  const port = await freePort();
  const [program, args] = proxies[proxy](folder, port, [["/", bridges[0].port], ["/lab/", bridges[1].port]]);
  const child = spawn(program, args, { env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
  const ended = once(child, "exit");
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (log += text));
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const get = (path, headers = {}) => ask(port, path, headers);
  await until(`${program} to answer`, async () => {
    assert.equal(child.exitCode, null, log);
    return get("/healthz", { Authorization: `Bearer ${TOKEN}` }).catch(() => undefined);
  });
  return { port, get };
}

/** Answers of the proxy, as a program outside asks it. */
function ask(port, path, headers) {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port, path, headers: { Host: `${NAME}:${port}`, ...headers } }, async (answer) => {
      let body = "";
      for await (const part of answer.setEncoding("utf8")) body += part;
      resolve({ status: answer.statusCode, headers: answer.headers, body });
    });
    asking.on("error", reject).end();
  });
}

/** Opens a page of a proxy, and follows the token to it. Any other failed request fails the test. */
async function open(t, port, path) {
  const { chromium } = load("proxies", "playwright-core");
  const executablePath = process.env.SERIAL_WS_TEST_BROWSER ?? "/usr/bin/chromium";
  browser ??= await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=MAP ${NAME} 127.0.0.1`] });
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  const failed = [];
  const sockets = [];
  // Nobody is the operator through a proxy, so the list of clients is refused.
  const isRefusal = (response) => response.status() === 403 && response.url().endsWith("/api/clients");
  page.on("response", (response) => response.status() >= 400 && !isRefusal(response) && failed.push(`${response.status()} ${response.url()}`));
  page.on("pageerror", (error) => failed.push(String(error)));
  page.on("websocket", (socket) => sockets.push(socket.url()));
  const mark = path.includes("?") ? "&" : "?";
  await page.goto(`http://${NAME}:${port}${path}${mark}token=${TOKEN}`);
  await within("the token to go from the address", page.waitForURL((url) => !url.search.includes("token")));
  return { page, context, sockets, failed };
}

const shows = (page, selector, pattern) =>
  until(`${pattern} in ${selector}`, async () => pattern.test(await page.locator(selector).textContent()));

for (const proxy of Object.keys(proxies)) {
  test(`behind ${proxy}, nobody gets in without the token, whatever they ask`, async (t) => {
    const { get } = await before(t, proxy);
    for (const prefix of ["", "/lab"]) {
      for (const path of ["/", "/api/status", "/ports/sensor"]) {
        const { status, body } = await get(prefix + path);
        assert.equal(status, 401, `${prefix}${path}: ${body}`);
      }
      const { status, body } = await get(`${prefix}/api/status`, { Authorization: `Bearer ${TOKEN}` });
      assert.equal(status, 200, body);
      assert.equal((await get(`${prefix}/hello`)).status, 200);
      const foreign = await get(`${prefix}/api/status`, { Host: "evil.example", Authorization: `Bearer ${TOKEN}` });
      assert.equal(foreign.status, 403, foreign.body);
    }
  });

  test(`the built-in page works behind ${proxy}, at the root`, async (t) => {
    const { port } = await before(t, proxy);
    const { page, sockets, failed } = await open(t, port, "/");
    await shows(page, "#rows", /\d+,\d+/);
    assert.ok(sockets[0].startsWith(`ws://${NAME}:${port}/`), sockets[0]);
    assert.deepEqual(failed, []);
  });

  test(`the built-in page works behind ${proxy}, under a prefix`, async (t) => {
    const { port } = await before(t, proxy);
    const { page, context, sockets, failed } = await open(t, port, "/lab/_serial-ws/?x=1");
    assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/lab/_serial-ws/?x=1");
    await shows(page, "#rows", /\d+,\d+/);
    await shows(page, "#address", new RegExp(`^ws://${NAME}:${port}/lab`));
    assert.ok(sockets[0].startsWith(`ws://${NAME}:${port}/lab/`), sockets[0]);
    await page.goto(`http://${NAME}:${port}/lab/?token=${TOKEN}`);
    await until("the page of the folder", async () => (await page.title()) === "mine");
    const paths = (await context.cookies()).map(({ path }) => path);
    assert.ok(paths.includes("/lab"), String(paths));
    assert.deepEqual(failed, []);
  });

  test(`pages of --web find their serial-ws behind ${proxy}, under a prefix`, async (t) => {
    const { port } = await before(t, proxy);
    const { page, sockets, failed } = await open(t, port, "/lab/plain/lines.html");
    await shows(page, "#reading", /^\d+,\d+,\d$/);
    assert.equal(sockets[0], `ws://${NAME}:${port}/lab/`);
    // To a folder without its slash, and a port by its name.
    await page.goto(`http://${NAME}:${port}/lab/deep/er`);
    assert.equal(new URL(page.url()).pathname, "/lab/deep/er/");
    await shows(page, "#reading", /^\d+,\d+,\d$/);
    assert.ok(sockets[1].startsWith(`ws://${NAME}:${port}/lab/ports/sensor`), sockets[1]);
    assert.deepEqual(failed, []);
  });
}
