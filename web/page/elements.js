// The elements of the page by topic, looked up once.

/**
 * Returns an element of the page.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function find(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} with the id ${id}`);
  return element;
}

export const board = {
  portChoice: find("port-choice", HTMLLabelElement),
  port: find("port", HTMLSelectElement),
  board: find("board", HTMLElement),
  state: find("state", HTMLElement),
  stateText: find("state-text", HTMLElement),
  reset: find("reset", HTMLButtonElement),
  release: find("release", HTMLButtonElement),
  resume: find("resume", HTMLButtonElement),
  remedy: find("remedy", HTMLElement),
  first: find("first", HTMLElement),
  address: find("address", HTMLElement),
};

export const readout = {
  rate: find("rate", HTMLElement),
  delay: find("delay", HTMLElement),
  missedFigure: find("missed-figure", HTMLElement),
  missed: find("missed", HTMLElement),
};

export const plot = {
  span: find("span", HTMLSelectElement),
  pause: find("plot-pause", HTMLButtonElement),
  clear: find("plot-clear", HTMLButtonElement),
  csv: find("plot-csv", HTMLButtonElement),
  png: find("plot-png", HTMLButtonElement),
  canvas: find("canvas", HTMLCanvasElement),
  empty: find("plot-empty", HTMLElement),
  legend: find("legend", HTMLElement),
  more: find("more", HTMLElement),
};

export const monitor = {
  view: find("view", HTMLSelectElement),
  latest: find("latest", HTMLSelectElement),
  times: find("times", HTMLInputElement),
  search: find("search", HTMLInputElement),
  found: find("found", HTMLElement),
  announced: find("announced", HTMLElement),
  pause: find("pause", HTMLButtonElement),
  clear: find("clear", HTMLButtonElement),
  copy: find("copy", HTMLButtonElement),
  download: find("download", HTMLButtonElement),
  rows: find("rows", HTMLElement),
  silence: find("silence", HTMLElement),
  newest: find("newest", HTMLButtonElement),
};

export const sending = {
  send: find("send", HTMLFormElement),
  text: find("text", HTMLTextAreaElement),
  ending: find("ending", HTMLSelectElement),
};
