// The menu of ports and devices, which follows what is plugged in.

import "../serial-ws.js";

/** @typedef {{id: string, path: string, board: string | null, usb: any, state: string, offered: boolean, port?: string, detail?: string, hint?: string}} Device */

/** What the state of a device adds to its name. */
const REMARKS = { busy: "in use by another program", denied: "no permission" };
/** The remark about a device that this page may not open. */
const NOT_OFFERED = "not on offer";
/** The value of an option for a device begins with this; those for ports are their names. */
const DEVICE = "device:";

export class PortMenu {
  /** @type {string[]} */
  #ports = [];
  /** @type {Device[]} */
  #devices = [];
  /** @type {import("../serial-ws.js").DeviceWatcher | undefined} */
  #watcher;
  /** The name of the port that is shown. */
  #shown = "";

  /**
   * @param {Pick<typeof import("./elements.js").board, "portChoice" | "port" | "seen">} elements
   * @param {(choice: {port?: string, device?: string}) => void} choose
   */
  constructor(elements, choose) {
    this.elements = elements;
    const { port } = elements;
    port.addEventListener("change", () => {
      const isDevice = port.value.startsWith(DEVICE);
      choose(isDevice ? { device: port.value.slice(DEVICE.length) } : { port: port.value });
    });
    document.addEventListener("visibilitychange", () => this.#watch());
    this.#watch();
  }

  /** Watches the devices while the page is visible: serial-ws looks for them only then. */
  #watch() {
    this.#watcher?.close();
    this.#watcher = undefined;
    if (document.hidden) return;
    this.#watcher = SerialWs.watchDevices(new URL("..", import.meta.url).href.replace("http", "ws")).on("devices", (devices) => {
      this.#devices = devices;
      this.#fill();
    });
  }

  /** @param {string[]} ports @param {string} shown */
  show(ports, shown) {
    this.#ports = ports;
    this.#shown = shown;
    this.#fill();
  }

  #fill() {
    const { portChoice, port, seen } = this.elements;
    const others = this.#devices.filter((device) => !device.port || !this.#ports.includes(device.port));
    const names = this.#ports.map((name) => {
      const device = this.#devices.find((device) => device.port === name);
      return new Option(device?.board ? `${name} · ${device.board}` : name, name, false, name === this.#shown);
    });
    const options = others.map((device) => {
      const option = new Option(title(device), DEVICE + device.id);
      option.disabled = !device.offered;
      return option;
    });
    // Nothing is changed without need: the menu may be open.
    const text = JSON.stringify([...names, ...options].map((option) => [option.value, option.text, option.disabled, option.selected]));
    if (port.dataset.shown !== text) {
      port.dataset.shown = text;
      port.replaceChildren(...names);
      if (options.length > 0) {
        const group = document.createElement("optgroup");
        group.label = "Devices of the computer";
        group.append(...options);
        port.append(group);
      }
    }
    portChoice.hidden = names.length + options.length < 2;
    seen.replaceChildren(...others.map((device) => {
      const item = document.createElement("li");
      item.textContent = device.offered ? [title(device), device.detail, device.hint].filter(Boolean).join(". ") : `${name(device)} (${device.hint ?? NOT_OFFERED})`;
      return item;
    }));
    seen.hidden = others.length === 0;
  }
}

/** Names a device for people. @param {Device} device */
const name = ({ board, usb, path }) => [board ?? usb?.product, path].filter(Boolean).join(" · ");

/** Names a device, with what is in the way. @param {Device} device */
function title(device) {
  const remark = REMARKS[device.state] ?? (device.offered ? undefined : NOT_OFFERED);
  return remark ? `${name(device)} (${remark})` : name(device);
}
