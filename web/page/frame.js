// Draws once per frame at most.

/**
 * Returns a function that requests a call of `draw` in the next frame, however often it is called.
 * @param {() => void} draw
 * @returns {() => void}
 */
export function onFrame(draw) {
  let isRequested = false;
  const run = () => {
    isRequested = false;
    draw();
  };
  const request = () => {
    if (isRequested) return;
    isRequested = true;
    requestAnimationFrame(run);
  };
  // Nothing is drawn while the page is hidden or frozen, and a requested frame may have been lost.
  for (const event of ["visibilitychange", "resume"]) {
    document.addEventListener(event, () => {
      isRequested = false;
      request();
    });
  }
  return request;
}
