// Turns what a mouse, a pen, fingers or a wheel do on the plot into zooming and panning.

/** Pixels that a pointer moves before it selects or drags. */
const SLACK = 5;
/** Pixels of height from which on a selection is one of values as well. */
const MIN_HEIGHT = 40;
/** How far one notch of a wheel zooms. */
const NOTCH = 1.2;

/**
 * @typedef {object} Plot
 * @property {(x?: number) => void} point the pointer is at this x coordinate, or has left
 * @property {(factor: number, x: number) => void} zoomAt
 * @property {(pixels: number) => void} drag moves the curves by so many pixels
 * @property {(area: {left: number, right: number, top?: number, bottom?: number} | undefined) => void} select shows a selection
 * @property {() => void} zoomToSelection
 * @property {() => void} reset
 */

export class Gestures {
  /** The pointers that are down, by id. @type {Map<number, {x: number, y: number}>} */
  #pointers = new Map();
  /** Where the first pointer went down, and what it does. @type {{x: number, y: number, does?: "select" | "drag"} | undefined} */
  #begun;

  /** @param {HTMLCanvasElement} canvas @param {Plot} plot */
  constructor(canvas, plot) {
    this.canvas = canvas;
    this.plot = plot;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event, true));
    canvas.addEventListener("pointerleave", () => plot.point());
    canvas.addEventListener("dblclick", () => plot.reset());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Gives up a selection. */
  cancel() {
    this.#begun = undefined;
    this.plot.select(undefined);
  }

  #down(event) {
    if (event.button !== 0) return;
    const { offsetX: x, offsetY: y } = event;
    this.#pointers.set(event.pointerId, { x, y });
    // Fingers drag and pinch, as on a map.
    const does = event.shiftKey || event.pointerType === "touch" ? "drag" : undefined;
    if (this.#pointers.size === 1) this.#begun = { x, y, does };
    this.plot.point(x);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    if (!before || !this.#begun) return this.plot.point(x);
    if (Math.hypot(x - this.#begun.x, y - this.#begun.y) > SLACK && !this.canvas.hasPointerCapture(event.pointerId)) {
      this.canvas.setPointerCapture(event.pointerId);
      this.#begun.does ??= "select";
    }
    if (!this.canvas.hasPointerCapture(event.pointerId)) return undefined;
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, x);
    else if (this.#begun.does === "drag") this.plot.drag(x - before.x);
    else this.#select(x, y);
    Object.assign(before, { x, y });
    return undefined;
  }

  #pinch(id, x) {
    const [, other] = [...this.#pointers].find(([key]) => key !== id) ?? [];
    const before = this.#pointers.get(id);
    if (!other || !before) return;
    const apart = (at) => Math.max(Math.abs(at - other.x), 20);
    this.plot.zoomAt(apart(before.x) / apart(x), (other.x + x) / 2);
  }

  #select(x, y) {
    const { x: fromX, y: fromY } = this.#begun ?? { x, y };
    const area = { left: Math.min(x, fromX), right: Math.max(x, fromX) };
    const isBox = Math.abs(y - fromY) >= MIN_HEIGHT;
    this.plot.select(isBox ? { ...area, top: Math.min(y, fromY), bottom: Math.max(y, fromY) } : area);
  }

  #up(event, isCancelled = false) {
    const isSelection = this.#begun?.does === "select" && this.#pointers.has(event.pointerId);
    this.#pointers.delete(event.pointerId);
    if (isCancelled) this.cancel();
    else if (isSelection) this.plot.zoomToSelection();
    if (this.#pointers.size === 0) this.#begun = undefined;
  }

  #wheel(event) {
    event.preventDefault();
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return this.plot.drag(-sideways);
    // Wheels that count in lines or pages move by one notch.
    const notches = event.deltaMode === 0 ? Math.max(-3, Math.min(event.deltaY / (event.ctrlKey ? 15 : 100), 3)) : Math.sign(event.deltaY);
    return this.plot.zoomAt(NOTCH ** notches, event.offsetX);
  }
}
