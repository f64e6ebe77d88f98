// Keys that lead to the boxes of the page from anywhere in it.

/** @param {Record<string, HTMLInputElement | HTMLTextAreaElement>} boxes by key */
export function enableKeys(boxes) {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(boxes, event.key)) return;
    if (target instanceof HTMLElement && target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    boxes[event.key].focus();
    boxes[event.key].select();
  });
}
