// The client of Socket.IO, which serial-ws does not serve: whoever uses it is told what to do.
//
// needs npm: socket.io-client@4.8.4
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { load, start, until, within } from "./support.mjs";

const { io } = load("socket.io", "socket.io-client");

for (const transport of ["polling", "websocket"]) {
  test(`a client by ${transport} fails, and the terminal says what to write instead`, async (t) => {
    const bridge = await start(t, "--port", "sim");
    const socket = io(bridge.url.replace("ws", "http"), { transports: [transport], reconnection: false });
    t.after(() => socket.close());
    await within("an error or a close", Promise.race([once(socket, "connect_error"), once(socket.io, "close")]));
    assert.equal(socket.connected, false);
    await until("the advice", () => /Socket\.IO is not served here.*new WebSocket/.test(bridge.log()));
  });
}
