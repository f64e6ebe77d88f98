// Shows the operator who is connected, and disconnects one. Others do not get the list.

const LIST = new URL("../api/clients", import.meta.url);

/** @typedef {{id: number, address: string, origin: string | null, agent: string | null, port: string | null, view: string, readOnly: boolean, since: number}} Client */

export class Clients {
  /** @param {typeof import("./elements.js").share} elements */
  constructor(elements) {
    this.elements = elements;
    elements.menu.addEventListener("toggle", () => elements.menu.open && this.#fill());
    this.#fill();
  }

  /** Fills the list. Hides the menu if this page is not the operator's. */
  async #fill() {
    const { menu, clients } = this.elements;
    try {
      const answer = await fetch(LIST);
      menu.hidden = !answer.ok;
      if (!answer.ok) return;
      const list = /** @type {Client[]} */ (await answer.json());
      clients.replaceChildren(...list.map((client) => this.#item(client)));
    } catch {
      menu.hidden = true;
    }
  }

  /** @param {Client} client */
  #item({ id, address, origin, agent, port, view, readOnly, since }) {
    const item = document.createElement("li");
    const who = document.createElement("strong");
    who.textContent = origin ?? agent ?? "a program";
    const time = new Date(since * 1000).toLocaleTimeString("en-GB");
    const what = document.createElement("span");
    const place = port ? `${port} · ${view}` : view;
    what.textContent = `${address} · ${place}${readOnly ? " · only reads" : ""} · since ${time}`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Disconnect";
    button.setAttribute("aria-label", `Disconnect ${who.textContent}, ${what.textContent}`);
    button.addEventListener("click", async () => {
      await fetch(`${LIST}/${id}`, { method: "DELETE" });
      await this.#fill();
    });
    item.append(who, what, button);
    return item;
  }
}
