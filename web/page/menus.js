// Menus that open below their button. One is open at a time; Escape and a click elsewhere close it.

/** Pixels that a menu keeps from the edge of the window. */
const MARGIN = 8;

/** Makes the menus of the page work. Each is a `details` whose second child is the menu. */
export function enableMenus() {
  const menus = /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll("details.menu")]);
  const closeAll = (/** @type {Node | null} */ except) => {
    for (const menu of menus) if (menu.open && !menu.contains(except)) menu.open = false;
  };
  for (const menu of menus) {
    menu.addEventListener("toggle", () => {
      if (!menu.open) return;
      closeAll(menu);
      place(menu);
    });
    // What a menu shows may come after it was opened, and what is beside its button may push it away.
    const observer = new ResizeObserver(() => menu.open && place(menu));
    for (const box of [menu.children[1], menu.closest("header, .bar")]) if (box) observer.observe(box);
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary")?.focus();
    });
    // A choice closes the menu; what is typed or ticked does not.
    menu.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-closes]")) menu.open = false;
    });
  }
  document.addEventListener("pointerdown", (event) => closeAll(event.target instanceof Node ? event.target : null));
  document.addEventListener("focusin", (event) => closeAll(event.target instanceof Node ? event.target : null));
}

/** Moves a menu into the window. @param {HTMLDetailsElement} menu */
function place(menu) {
  const panel = menu.children[1];
  if (!(panel instanceof HTMLElement)) return;
  panel.style.translate = "";
  const { left, right, top, bottom } = panel.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const x = right > width - MARGIN ? Math.max(width - MARGIN - right, MARGIN - left) : Math.max(MARGIN - left, 0);
  // Upwards where there is no room below.
  const { top: above, height } = menu.getBoundingClientRect();
  const tall = bottom - top;
  const y = bottom > innerHeight - MARGIN && above > tall ? -(tall + height + 8) : 0;
  panel.style.translate = `${x}px ${y}px`;
}
