// The recording that is played instead of a board: shows how far it is, and pauses it, goes to other places, changes the speed.

/** Milliseconds between two looks at the clock while it is played. */
const INTERVAL = 200;
/** The value of the speed without pauses. */
const MAX = "max";

/** Formats seconds as minutes and seconds, with hours where there are any. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/**
 * Returns the place that is reached some time after a status, in seconds.
 * @param {any} playback @param {number} elapsed seconds since the status
 */
export function placeAfter({ position, length = Infinity, speed, paused }, elapsed) {
  const isMoving = !paused && speed !== MAX;
  return Math.min(position + (isMoving ? elapsed * speed : 0), Math.max(length, position));
}

export class Playback {
  /** The playback of the last status, and when it came. @type {any} */
  #playback;
  #shownAt = 0;
  /** True while the port is released, and so stands still. */
  #isReleased = false;
  /** True while somebody drags the place, which must not move then. */
  #isDragged = false;

  /**
   * @param {typeof import("./elements.js").playback} elements
   * @param {(changes: object) => Promise<void>} change shows its error, if any
   */
  constructor(elements, change) {
    this.elements = elements;
    const { pause, place, speed } = elements;
    pause.addEventListener("click", () => {
      const { paused, position, length } = this.#playback;
      // At the end, playing means playing again.
      const hasEnded = !paused && position >= length;
      change(hasEnded ? { seek: 0 } : { pause: !paused });
    });
    place.addEventListener("input", () => {
      this.#isDragged = true;
      this.#showPlace(Number(place.value));
    });
    place.addEventListener("change", () => {
      this.#isDragged = false;
      change({ seek: Number(place.value) });
    });
    speed.addEventListener("change", () => change({ speed: speed.value === MAX ? MAX : Number(speed.value) }));
    setInterval(() => this.#playback && !this.#isDragged && this.#showPlace(this.#place()), INTERVAL);
  }

  /** @param {any} status @param {string} refusal why this page may change nothing, or "" */
  show({ playback, state }, refusal) {
    const { strip, pause, place, speed } = this.elements;
    strip.hidden = !playback;
    if (!playback) {
      this.#playback = undefined;
      return;
    }
    // A look at the same status again must not set the clock back.
    if (JSON.stringify(playback) !== JSON.stringify(this.#playback)) [this.#playback, this.#shownAt] = [playback, performance.now()];
    this.#isReleased = state === "released";
    const { paused, length, speed: times } = playback;
    const isRefused = refusal !== "";
    pause.textContent = paused || playback.position >= length ? "Play" : "Pause";
    pause.disabled = speed.disabled = isRefused;
    place.disabled = isRefused || length === undefined;
    pause.title = place.title = speed.title = refusal;
    if (length !== undefined) place.max = String(length);
    const value = String(times);
    if (![...speed.options].some((option) => option.value === value)) speed.add(new Option(`${value}×`, value));
    speed.value = value;
    if (!this.#isDragged) this.#showPlace(this.#place());
  }

  #place() {
    const elapsed = this.#isReleased ? 0 : (performance.now() - this.#shownAt) / 1000;
    return placeAfter(this.#playback, elapsed);
  }

  /** @param {number} seconds */
  #showPlace(seconds) {
    const { place, time } = this.elements;
    const { length } = this.#playback;
    const text = length === undefined ? duration(seconds) : `${duration(seconds)} / ${duration(length)}`;
    if (time.textContent === text) return;
    time.textContent = text;
    place.value = String(seconds);
    place.setAttribute("aria-valuetext", text);
  }
}
