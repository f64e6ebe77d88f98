// The client library for `import`: exports the class of serial-ws.js.
import "./serial-ws.js";

export const SerialWs = globalThis.SerialWs;
// Only a module knows the URL it was loaded from.
SerialWs.source = import.meta.url;
export default SerialWs;
