// Shows the operator who is connected, disconnects one, and gives one the write lock. Others do not get the list.

/** Characters shown of the name of a program. */
const MAX_NAME = 40;
/** Clients whose names are kept; the oldest are forgotten. */
const MAX_NAMES = 500;
/** Milliseconds before the list is asked for the name of a new client. */
const ASK_DELAY = 300;
const LIST = new URL("../api/clients", import.meta.url);

/** @typedef {{id: number, name: string | null, address: string, origin: string | null, agent: string | null, port: string | null, view: string, readOnly: boolean, since: number}} Client */

export class Clients {
  /** What is known of clients by their number, also of those that have left. @type {Map<number, string>} */
  #names = new Map();
  /** The highest number for which the list was asked. Those below that it does not have are no clients of WebSockets. */
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** The number of the client that has the write lock. @type {number | undefined} */
  #writer;

  /** @param {typeof import("./elements.js").share} elements */
  constructor(elements) {
    this.elements = elements;
    /** Called when names of clients have become known. */
    this.onNames = () => {};
    elements.menu.addEventListener("toggle", () => elements.menu.open && this.#fill());
    this.#fill();
  }

  /** True if this page is the operator's, which may see who is connected. */
  get isOperator() {
    return !this.elements.menu.hidden;
  }

  /** Notes who has the write lock. @param {number | undefined} writer */
  setWriter(writer) {
    if (writer === this.#writer) return;
    this.#writer = writer;
    if (this.elements.menu.open) this.#fill();
  }

  /**
   * Names a client for people: by its number, and what this page may know of it. What comes to be known
   * later is told by `onNames`.
   * @param {number} number @param {string} [own] the name that it gave itself
   */
  describe(number, own) {
    if (this.isOperator && number > this.#asked) {
      // Once for all that come soon: a script may write as a new client each time.
      if (this.#timer === undefined) this.#timer = setTimeout(() => this.#fill(), ASK_DELAY);
      this.#asked = number;
    }
    const names = [own && `“${own}”`, this.#names.get(number)].filter(Boolean).join(", ");
    return names ? `client ${number} (${names})` : `client ${number}`;
  }

  /** Fills the list. Hides the menu if this page is not the operator's. */
  async #fill() {
    const { menu, clients } = this.elements;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      const answer = await fetch(LIST);
      menu.hidden = !answer.ok;
      if (!answer.ok) return;
      const list = /** @type {Client[]} */ (await answer.json());
      // A page of serial-ws also watches the devices: for people, that is the same client.
      const [pages, watchers] = [list.filter(({ port }) => port), list.filter(({ port }) => !port)];
      const others = watchers.filter((watcher) => !pages.some((page) => isSame(page, watcher)));
      clients.replaceChildren(...[...pages, ...others].map((client) => {
        const isLast = pages.filter((page) => isSame(page, client)).length < 2;
        const same = isLast ? watchers.filter((watcher) => isSame(client, watcher)) : [];
        return this.#item(client, [...new Set([client, ...same])]);
      }));
      const { size } = this.#names;
      for (const client of list) this.#names.set(client.id, name(client));
      if (this.#names.size > size) this.onNames();
      for (const old of [...this.#names.keys()].slice(0, -MAX_NAMES)) this.#names.delete(old);
    } catch {
      menu.hidden = true;
    }
  }

  /** @param {Client} client @param {Client[]} connections all that end with it */
  #item({ id, name, address, origin, agent, port, view, readOnly, since }, connections) {
    const item = document.createElement("li");
    const who = document.createElement("strong");
    who.textContent = [id, name && `“${name}”`, origin ?? agent ?? "a program"].filter(Boolean).join(" · ");
    const time = new Date(since * 1000).toLocaleTimeString("en-GB");
    const what = document.createElement("span");
    const place = port ? `${port} · ${view}` : view;
    what.textContent = `${address} · ${place}${readOnly ? " · only reads" : ""} · since ${time}`;
    const buttons = document.createElement("span");
    buttons.className = "acts";
    const person = `${who.textContent}, ${what.textContent}`;
    if (port && !readOnly) buttons.append(this.#lockButton(id, person));
    buttons.append(this.#button("Disconnect", `Disconnect ${person}`, () => Promise.all(connections.map(({ id }) => fetch(`${LIST}/${id}`, { method: "DELETE" })))));
    item.append(who, what, buttons);
    return item;
  }

  /** @param {number} id @param {string} person the client, for people who do not see the list */
  #lockButton(id, person) {
    const hasLock = id === this.#writer;
    const [text, label, method] = hasLock ? ["Take the lock back", `Take the lock back from ${person}`, "DELETE"] : ["Give the lock", `Give the lock to ${person}`, "POST"];
    const button = this.#button(text, label, () => fetch(`${LIST}/${id}/lock`, { method }));
    button.title = hasLock ? "It may no longer send or change anything alone" : "Only it may send and change anything then";
    return button;
  }

  /** Makes a button that does something to a client, after which the list is asked for again. @param {string} text @param {string} label @param {() => Promise<unknown>} act */
  #button(text, label, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", async () => {
      await act();
      await this.#fill();
    });
    return button;
  }
}

/** Returns true if two clients may be of the same page. @param {Client} one @param {Client} other */
function isSame(one, other) {
  return one.address === other.address && one.origin === other.origin && one.agent === other.agent;
}

/** @param {Client} client */
function name({ origin, agent, address }) {
  const host = origin?.replace(/^https?:\/\//, "");
  const place = /^(127\.|::1$)/.test(address) ? undefined : address;
  const program = agent && agent.length > MAX_NAME ? `${agent.slice(0, MAX_NAME - 1)}…` : agent;
  return [host ? `page at ${host}` : program ?? "a program", place].filter(Boolean).join(", ");
}
