// The span of time that the plot shows: zooming and panning. Pure.

/** @typedef {{start: number, end: number}} Window seconds since 1970 */

/** The shortest span, in seconds: less than the interval of samples of any serial port that a person looks at. */
export const MIN_SPAN = 0.02;

/** Zooms so that the time `at` stays where it is. @param {Window} window @param {number} factor below 1 to see less @param {number} at @returns {Window} */
export function zoom({ start, end }, factor, at) {
  const span = end - start;
  const wanted = Math.max(span * factor, MIN_SPAN);
  const left = span > 0 ? (at - start) / span : 0.5;
  return { start: at - left * wanted, end: at + (1 - left) * wanted };
}

/** @param {Window} window @param {number} seconds above 0 to see what is newer @returns {Window} */
export function pan({ start, end }, seconds) {
  return { start: start + seconds, end: end + seconds };
}

/** Keeps a window within what there is. @param {Window} window @param {Window} kept @returns {Window} */
export function limit({ start, end }, kept) {
  const span = Math.min(end - start, Math.max(kept.end - kept.start, MIN_SPAN));
  const last = Math.min(end, kept.end);
  const first = Math.max(last - span, kept.start);
  return { start: first, end: first + span };
}

/** Formats the length of a window. @param {number} seconds */
export function spanText(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(seconds < 10 ? 2 : 3))} s`;
  if (seconds < 3600) return `${Number((seconds / 60).toPrecision(2))} min`;
  return `${Number((seconds / 3600).toPrecision(3))} h`;
}
