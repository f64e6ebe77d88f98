// The client library for `import`: the same class as in serial-ws.js.
import "./serial-ws.js";

export const SerialWs = globalThis.SerialWs;
// Only a module knows where it came from.
SerialWs.source = import.meta.url;
export default SerialWs;
