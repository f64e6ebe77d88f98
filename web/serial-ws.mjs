// The client library for `import`: the same class as in serial-ws.js.
import "./serial-ws.js";

export const SerialWs = globalThis.SerialWs;
export default SerialWs;
