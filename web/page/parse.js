// What lines mean: numbers for the plotter, and characters that can be seen. Pure.

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NO_NUMBER = /^[+-]?(?:nan|inf|infinity|ovf)$/i;
/** `label:value` or `label=value`; a unit at the value is passed over, and so are times and what is hexadecimal. */
const PAIR = /(?:^|[\s,;({])"?([\p{L}_][^:=,;\t"]*?)"?\s*[:=]\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|[+-]?inf)(?!\d|[.:]\d|x[\da-f])/giu;
/** Longer lines are not looked at. */
const LONGEST = 4096;
/** Numbers of one line that are looked at. */
const MOST = 128;

/** Finds series of numbers in lines; remembers a header line for the lines after it. */
export class SeriesParser {
  /** @type {string[]} */
  #header = [];

  /**
   * @param {string} line
   * @returns {Map<string, number> | undefined} the value of each series; NaN for "nan" and the like
   */
  parse(line) {
    if (line.length > LONGEST) return undefined;
    const text = line.trim();
    if (!text) return undefined;
    return (text[0] === "{" || text[0] === "[" ? json(text) : undefined)
      ?? this.#values(text) ?? pairs(text);
  }

  /** @param {string} text */
  #values(text) {
    const fields = split(text);
    const numbers = fields.map(number);
    if (numbers.every((value) => value !== undefined)) {
      return named(numbers, this.#header.length === fields.length ? this.#header : []);
    }
    if (isHeader(text, fields)) this.#header = fields;
    // A column of words among columns of numbers keeps its place.
    const found = numbers.filter((value) => value !== undefined).length;
    if (/[,;\t]/.test(text) && found * 2 >= fields.length && !/[:=]/.test(text)) {
      return named(numbers, this.#header.length === fields.length ? this.#header : []);
    }
    return undefined;
  }
}

/** @param {string} text */
function split(text) {
  const by = /[,;\t]/.test(text) ? /[,;\t]/ : /\s+/;
  const fields = text.split(by).map((field) => field.trim());
  // A separator at the end is no field more.
  if (fields.length > 1 && fields.at(-1) === "") fields.pop();
  return fields.slice(0, MOST);
}

/** @param {string} field */
function number(field) {
  if (NUMBER.test(field)) return Number(field);
  return NO_NUMBER.test(field) ? NaN : undefined;
}

/** @param {string} text @param {string[]} fields */
function isHeader(text, fields) {
  const isName = (/** @type {string} */ field) => field.length < 40 && /^[\p{L}_][^:={}]*$/u.test(field);
  return /[,;\t]/.test(text) && fields.length > 1 && fields.every(isName);
}

/** @param {(number | undefined)[]} numbers @param {string[]} names */
function named(numbers, names) {
  const values = new Map();
  numbers.forEach((value, index) => {
    const name = names[index] ?? (numbers.length === 1 ? "value" : `value ${index + 1}`);
    if (value !== undefined) values.set(name, value);
  });
  return values.size > 0 ? values : undefined;
}

/** @param {string} text */
function pairs(text) {
  const values = new Map();
  for (const [, name, value] of text.matchAll(PAIR)) {
    if (name.length < 40 && values.size < MOST) values.set(name.trim(), Number(value));
  }
  return values.size > 0 ? values : undefined;
}

/** @param {string} text */
function json(text) {
  let object;
  try {
    object = JSON.parse(text);
  } catch {
    return undefined;
  }
  const values = new Map();
  collect(object, "", values, 0);
  return values.size > 0 ? values : undefined;
}

/** @param {unknown} value @param {string} name @param {Map<string, number>} values @param {number} depth */
function collect(value, name, values, depth) {
  if (values.size >= MOST || depth > 3) return;
  if (typeof value === "number") values.set(name || "value", value);
  else if (typeof value === "boolean") values.set(name || "value", Number(value));
  else if (Array.isArray(value)) {
    value.forEach((item, index) => collect(item, `${name || "value"} ${index + 1}`, values, depth + 1));
  } else if (value && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) {
      collect(item, name ? `${name}.${key}` : key, values, depth + 1);
    }
  }
}

/** What has no shape, or would change the shape of what is beside it. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Not as the signs of Unicode (␛), which many fonts do not have. */
const NAMES = ("NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI "
  + "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US").split(" ");

/**
 * Text with every control character visible: `‹ESC›`, or `‹U+202E›` where it has no name.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    const name = code === 0x7f ? "DEL" : NAMES[code];
    return `‹${name ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}›`;
  });
}

/**
 * Rows of a hex view: offset, bytes, and characters.
 * @param {Uint8Array} bytes @param {number} offset of the first byte in the stream
 */
export function hex(bytes, offset) {
  const rows = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const row = bytes.subarray(start, start + 16);
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const signs = Array.from(row, (byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·"));
    rows.push(`${(offset + start).toString(16).padStart(8, "0")}  ${digits.padEnd(47)}  ${signs.join("")}`);
  }
  return rows;
}

/** From here on not every digit is exact, and fewer are shown. */
const VAST = 1e15;

/**
 * Ticks for an axis from `low` to `high`, 1, 2 or 5 times a power of ten apart, each with what is
 * written at it.
 * @param {number} low @param {number} high @param {number} about how many
 * @returns {[number, string][]}
 */
export function ticks(low, high, about) {
  const rough = (high - low) / Math.max(about, 1);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power * 10;
  /** @type {[number, string][]} */
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 100; index++) {
    found.push([index * step, label(index * step, step)]);
  }
  return found;
}

/** A number with as many digits as tell it from those `step` away. @param {number} value @param {number} step */
function label(value, step) {
  // Of a step like 0.1 the logarithm may be a bit less than whole.
  const power = Math.floor(Math.log10(step) + 1e-9);
  if (Math.abs(value) < VAST && power >= -6) return value.toFixed(Math.max(-power, 0));
  const digits = Math.floor(Math.log10(Math.abs(value) || step)) - power;
  return value.toExponential(Math.max(0, Math.min(digits, 15)));
}

/**
 * A value in the legend: whole numbers whole, others with nine digits.
 * @param {number} value
 */
export function short(value) {
  if (Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= VAST || Math.abs(value) < 1e-4)) return value.toExponential(2);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(9)));
}

/**
 * A field of a CSV file. One that a spreadsheet would take for a formula is marked as text.
 * @param {string} text
 */
export function csvField(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Seconds since 1970 as a time of the day with milliseconds. @param {number} t */
export function clock(t) {
  const date = new Date(t * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}
