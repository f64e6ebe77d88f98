// The part of web-serial.js that lets the user choose a port: a dialog for mouse, keyboard and screen reader.

const CHOOSER = `<dialog aria-labelledby="title"><form method="dialog">
  <h2 id="title"></h2>
  <fieldset aria-labelledby="title"></fieldset>
  <p role="status"></p>
  <menu><button type="button" id="cancel">Cancel</button><button value="connect" id="connect">Connect</button></menu>
</form></dialog>`;
const STYLE = `
  dialog { font: 16px/1.4 system-ui, sans-serif; max-width: 32em; border: 1px solid #8888; border-radius: 8px; padding: 16px 20px; color-scheme: light dark; }
  dialog::backdrop { background: #0006; }
  h2 { font-size: 18px; margin: 0 0 12px; }
  fieldset { border: 0; margin: 0; padding: 0; max-height: 50vh; overflow: auto; }
  label { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; padding: 8px 4px; align-items: center; }
  small { grid-column: 2; opacity: 0.8; overflow-wrap: anywhere; }
  label:has(:disabled) { opacity: 0.6; }
  p { margin: 12px 0; }
  menu { display: flex; justify-content: flex-end; gap: 8px; margin: 0; padding: 0; }
  button { font: inherit; padding: 6px 16px; }`;

/**
 * Shows what can be chosen, and returns the user's choice, or undefined.
 * @param {{ entries?: Map<string, import("./web-serial-link.mjs").Entry>, problem: string, listeners: Set<() => void> }} catalog
 * @param {{ vendor: number, product?: number }[]} filters
 */
export async function choose(catalog, filters) {
  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open" });
  shadow.innerHTML = CHOOSER;
  addStyle(shadow);
  const names = ["dialog", "fieldset", "p", "#cancel", "#connect"];
  const [dialog, list, note, cancel, connect] = names.map((name) => shadow.querySelector(name));
  shadow.querySelector("h2").textContent = `${location.host || "This page"} wants to use a serial port`;
  const show = () => {
    const entries = [...catalog.entries?.values() ?? []].filter((entry) => fits(entry, filters));
    showEntries(list, entries);
    const isEmpty = !entries.some((entry) => entry.isOffered);
    const nothing = catalog.entries ? "No matching board found. Plug it in." : "Looking for boards…";
    note.textContent = catalog.problem || (isEmpty ? nothing : "");
    connect.disabled = !list.querySelector(":checked");
  };
  list.onchange = show;
  cancel.onclick = () => dialog.close();
  catalog.listeners.add(show);
  show();
  document.documentElement.append(host);
  dialog.showModal();
  const chosen = await new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "connect" && list.querySelector(":checked")?.value);
  });
  catalog.listeners.delete(show);
  host.remove();
  return catalog.entries?.get(chosen);
}

/** Shows ports as a group of radio buttons, and keeps the choice. Texts come from devices, so they may be anything. */
function showEntries(list, entries) {
  const chosen = list.querySelector(":checked")?.value;
  const focused = list.getRootNode().activeElement?.value;
  list.replaceChildren(...entries.map(({ key, label, detail, isOffered }) => {
    const row = document.createElement("label");
    const [radio, name, more] = ["input", "b", "small"].map((tag) => row.appendChild(document.createElement(tag)));
    Object.assign(radio, { type: "radio", name: "port", value: key, disabled: !isOffered, checked: key === chosen });
    name.textContent = label;
    more.textContent = detail;
    return row;
  }));
  if (focused !== undefined) [...list.querySelectorAll("input")].find(({ value }) => value === focused)?.focus();
}

/** Adds the style of the chooser in the way that no Content-Security-Policy forbids. */
function addStyle(shadow) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
  } catch {
    // Browsers without such sheets show it plain.
  }
}

/** Returns true if one of the filters fits. What is not USB fits all: the operator of serial-ws named it. */
function fits({ usb }, filters) {
  if (!usb || filters.length === 0) return true;
  return filters.some(({ vendor, product }) => usb.usbVendorId === vendor && [undefined, usb.usbProductId].includes(product));
}
