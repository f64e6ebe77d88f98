// Turns values into text for people: visible characters, hex dumps, times, CSV fields. Pure.

/** Characters that are invisible or change how their neighbours are displayed. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Names of the control characters. Many fonts lack the Unicode symbols (␛). */
const NAMES = ("NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI "
  + "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US").split(" ");

/**
 * Makes every control character visible: `‹ESC›`, or `‹U+202E›` if it has no name.
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
 * Returns the rows of a hex dump: offset, bytes, and characters.
 * @param {Uint8Array} bytes @param {number} offset position of the first byte in the stream
 * @param {number} [perRow] bytes in a row
 */
export function hex(bytes, offset, perRow = 16) {
  const rows = [];
  for (let start = 0; start < bytes.length; start += perRow) {
    const row = bytes.subarray(start, start + perRow);
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const characters = Array.from(row, (byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·"));
    rows.push(`${(offset + start).toString(16).padStart(6, "0")}  ${digits.padEnd(perRow * 3 - 1)}  ${characters.join("")}`);
  }
  return rows;
}

/**
 * Returns what a row shows of a frame: its text if it is printable, else its bytes and how many they are.
 * @param {string} text
 * @param {string} [base64] its bytes, if they are no text
 */
export function frame(text, base64) {
  // eslint-disable-next-line no-control-regex
  if (base64 === undefined && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return text;
  const bytes = base64 === undefined
    ? new TextEncoder().encode(text)
    : Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${digits}  (${bytes.length} ${bytes.length === 1 ? "byte" : "bytes"})`;
}

/** From here on not every digit is exact, so fewer are shown. */
const EXPONENTIAL_ABOVE = 1e15;

/**
 * Formats a value for the legend: whole numbers in full, others with nine digits.
 * @param {number} value
 */
export function short(value) {
  if (Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= EXPONENTIAL_ABOVE || Math.abs(value) < 1e-4)) return value.toExponential(2);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(9)));
}

/**
 * Escapes a field for CSV. A field that a spreadsheet would run as a formula is marked as text, also where the
 * formula is behind blanks, or behind what some spreadsheets take for the end of a field.
 * @param {string} text
 */
export function csvField(text) {
  const safe = /(^|[;,\t\r\n])\s*[=+\-@]|^[\t\r]/.test(text) ? `'${text.replace(/[\t\r\n]/g, " ")}` : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Formats seconds since 1970 as a time of day with milliseconds. @param {number} t */
export function clock(t) {
  const date = new Date(t * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}
