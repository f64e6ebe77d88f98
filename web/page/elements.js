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
  lend: find("lend", HTMLDetailsElement),
  release: find("release", HTMLButtonElement),
  releaseLong: find("release-long", HTMLButtonElement),
  devices: document.querySelectorAll("#recipes .device"),
  portFlags: document.querySelectorAll("#recipes .port-flag"),
  resume: find("resume", HTMLButtonElement),
  notice: find("notice", HTMLElement),
  detail: find("detail", HTMLElement),
  remedy: find("remedy", HTMLElement),
  advice: { text: find("advice-text", HTMLElement), button: find("advice", HTMLButtonElement) },
  meaning: find("meaning", HTMLElement),
  steps: find("steps", HTMLElement),
  seen: find("seen", HTMLElement),
  noBoard: find("no-board", HTMLElement),
  simChoice: find("sim-choice", HTMLElement),
  simLink: find("sim-link", HTMLAnchorElement),
  first: find("first", HTMLElement),
  address: find("address", HTMLElement),
};

export const readout = {
  rate: find("rate", HTMLElement),
  delay: find("delay", HTMLElement),
  missedFigure: find("missed-figure", HTMLElement),
  missed: find("missed", HTMLElement),
  dismiss: find("missed-dismiss", HTMLButtonElement),
};

export const plot = {
  span: find("span", HTMLSelectElement),
  spanOther: find("span-other", HTMLOptionElement),
  scale: find("scale", HTMLSelectElement),
  bounds: find("bounds", HTMLElement),
  low: find("low", HTMLInputElement),
  high: find("high", HTMLInputElement),
  pause: find("plot-pause", HTMLButtonElement),
  clear: find("plot-clear", HTMLButtonElement),
  table: find("plot-table", HTMLButtonElement),
  csvShown: find("csv-shown", HTMLButtonElement),
  csvAll: find("csv-all", HTMLButtonElement),
  pngShown: find("png-shown", HTMLButtonElement),
  pngAll: find("png-all", HTMLButtonElement),
  stage: find("stage", HTMLElement),
  canvas: find("canvas", HTMLCanvasElement),
  zoom: find("zoom", HTMLElement),
  zoomIn: find("zoom-in", HTMLButtonElement),
  zoomOut: find("zoom-out", HTMLButtonElement),
  older: find("older", HTMLButtonElement),
  newer: find("newer", HTMLButtonElement),
  live: find("live", HTMLButtonElement),
  samples: find("samples", HTMLElement),
  sampleTable: find("sample-table", HTMLTableElement),
  empty: find("plot-empty", HTMLElement),
  legend: find("legend", HTMLTableElement),
  legendRows: find("legend-rows", HTMLElement),
  more: find("more", HTMLElement),
};

export const seriesDialog = {
  dialog: find("series-dialog", HTMLDialogElement),
  form: find("series-form", HTMLFormElement),
  name: find("series-name", HTMLInputElement),
  colours: find("series-colours", HTMLElement),
  own: find("series-own", HTMLButtonElement),
  cancel: find("series-cancel", HTMLButtonElement),
};

export const monitor = {
  view: find("view", HTMLSelectElement),
  latest: find("latest", HTMLSelectElement),
  times: find("times", HTMLInputElement),
  search: find("search", HTMLInputElement),
  previous: find("previous", HTMLButtonElement),
  next: find("next", HTMLButtonElement),
  found: find("found", HTMLElement),
  filter: find("filter", HTMLElement),
  only: find("only", HTMLInputElement),
  without: find("without", HTMLInputElement),
  ruler: find("ruler", HTMLElement),
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
  button: find("send-button", HTMLButtonElement),
  text: find("text", HTMLTextAreaElement),
  ending: find("ending", HTMLSelectElement),
  commands: find("commands", HTMLElement),
  sent: find("sent", HTMLDetailsElement),
  sentList: find("sent-list", HTMLElement),
  sentEmpty: find("sent-empty", HTMLElement),
};

export const lines = {
  controls: find("line-controls", HTMLFieldSetElement),
  none: find("no-lines", HTMLElement),
  dtr: find("dtr", HTMLInputElement),
  rts: find("rts", HTMLInputElement),
  sendBreak: find("break", HTMLButtonElement),
  cts: find("cts", HTMLElement),
  dsr: find("dsr", HTMLElement),
  dcd: find("dcd", HTMLElement),
  ri: find("ri", HTMLElement),
};

export const settings = {
  choice: find("rate-choice", HTMLElement),
  baud: find("baud", HTMLSelectElement),
  other: find("baud-other", HTMLInputElement),
  remark: find("baud-remark", HTMLElement),
  dataBits: find("data-bits", HTMLSelectElement),
  parity: find("parity", HTMLSelectElement),
  stopBits: find("stop-bits", HTMLSelectElement),
  flowControl: find("flow-control", HTMLSelectElement),
  fixed: { box: find("fixed", HTMLElement), list: find("fixed-list", HTMLElement), remedy: find("fixed-remedy", HTMLElement) },
};

export const playback = {
  strip: find("playback", HTMLElement),
  pause: find("playback-pause", HTMLButtonElement),
  place: find("playback-place", HTMLInputElement),
  time: find("playback-time", HTMLElement),
  speed: find("playback-speed", HTMLSelectElement),
};

export const lock = {
  menu: find("settings", HTMLDetailsElement),
  take: find("take", HTMLButtonElement),
  strip: find("lock", HTMLElement),
  text: find("lock-text", HTMLElement),
  giveBack: find("give-back", HTMLButtonElement),
  end: find("end-lock", HTMLButtonElement),
};

export const outputs = {
  menu: find("settings", HTMLDetailsElement),
  button: find("settings-button", HTMLElement),
  box: find("outputs", HTMLElement),
  list: find("output-list", HTMLElement),
};

export const recording = {
  menu: find("recording", HTMLDetailsElement),
  size: find("recording-size", HTMLElement),
  none: find("recording-none", HTMLElement),
  controls: find("recording-controls", HTMLElement),
  about: find("recording-about", HTMLElement),
  toggle: find("recording-toggle", HTMLButtonElement),
  form: find("recording-note", HTMLFormElement),
  text: find("recording-text", HTMLInputElement),
};

export const share = {
  menu: find("share", HTMLDetailsElement),
  clients: find("clients", HTMLElement),
};

export const theme = find("theme", HTMLSelectElement);
