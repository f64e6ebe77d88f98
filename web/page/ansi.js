// Colours and styles in text, as ANSI SGR sequences: `ESC [ … m` (ECMA-48, section 8.3.117). Pure.
// Other sequences stay in the text, where they are made visible: they could move or hide things.

// eslint-disable-next-line no-control-regex
const SGR = /\u001b\[([0-9;:]{0,64})m/;
// eslint-disable-next-line no-control-regex
const ALL_SGR = /\u001b\[[0-9;:]{0,64}m/g;

/** Parameters that switch a style on, and those that switch it off. Hidden and blinking text are left out. */
const STYLES = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck" };
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["struck"] };

/** @typedef {{text: string, classes: string[]}} Run text in one style */

/** Returns a text without its colours. @param {string} text */
export function plain(text) {
  return text.includes("\u001b") ? text.replace(ALL_SGR, "") : text;
}

/** Splits a text into runs of one style. @param {string} text @returns {Run[]} */
export function runs(text) {
  if (!text.includes("\u001b")) return [{ text, classes: [] }];
  /** @type {Run[]} */
  const found = [];
  const style = { foreground: "", background: "", others: new Set() };
  // Text and parameters take turns.
  text.split(SGR).forEach((part, index) => {
    if (index % 2 === 1) apply(style, part.split(/[;:]/).map(Number));
    else if (part) found.push({ text: part, classes: [style.foreground, style.background, ...style.others].filter(Boolean) });
  });
  return found;
}

/** @param {{foreground: string, background: string, others: Set<string>}} style @param {number[]} codes */
function apply(style, codes) {
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) {
      [style.foreground, style.background] = ["", ""];
      style.others.clear();
    } else if (code in STYLES) style.others.add(STYLES[code]);
    else if (code in ENDS) for (const name of ENDS[code]) style.others.delete(name);
    else if (code >= 30 && code <= 37) style.foreground = `fg${code - 30}`;
    else if (code >= 90 && code <= 97) style.foreground = `fg${code - 90 + 8}`;
    else if (code >= 40 && code <= 47) style.background = `bg${code - 40}`;
    else if (code >= 100 && code <= 107) style.background = `bg${code - 100 + 8}`;
    else if (code === 39) style.foreground = "";
    else if (code === 49) style.background = "";
    else if (code === 38 || code === 48) {
      const { colour, length } = extended(codes.slice(at + 1));
      if (colour !== undefined && code === 38) style.foreground = `fg${colour}`;
      if (colour !== undefined && code === 48) style.background = `bg${colour}`;
      at += length;
    }
  }
}

/** Returns the nearest of the sixteen colours to one of 256 or of 16 million, and how many parameters it has. @param {number[]} codes */
function extended([kind, ...rest]) {
  if (kind === 5) return { colour: of256(rest[0]), length: 2 };
  if (kind === 2) return { colour: nearest(rest.slice(0, 3)), length: 4 };
  return { colour: undefined, length: 1 };
}

/** @param {number} index */
function of256(index) {
  if (!(index >= 0 && index < 256)) return undefined;
  if (index < 16) return index;
  if (index > 231) return nearest(Array(3).fill(8 + (index - 232) * 10));
  const level = (/** @type {number} */ share) => (share === 0 ? 0 : 55 + share * 40);
  return nearest([level(Math.floor((index - 16) / 36)), level(Math.floor((index - 16) / 6) % 6), level((index - 16) % 6)]);
}

/** Bit 0 is red, bit 1 green, bit 2 blue, bit 3 bright. @param {number[]} rgb from 0 to 255 */
function nearest(rgb) {
  if (rgb.length < 3 || rgb.some((part) => !(part >= 0 && part <= 255))) return undefined;
  const most = Math.max(...rgb);
  if (most < 48) return 0;
  if (most - Math.min(...rgb) < 32) return most > 208 ? 15 : most > 144 ? 7 : 8;
  const bits = rgb.reduce((bits, part, index) => bits | (part > most / 2 ? 1 << index : 0), 0);
  return bits | (most > 208 ? 8 : 0);
}
