// Chooses the colours before the page is drawn: those of the system, unless people chose others.
(() => {
  const KEY = "serial-ws theme";
  /** When the style sheet of the dark theme counts. */
  const MEDIA = { system: "(prefers-color-scheme: dark)", light: "not all", dark: "all" };
  const dark = document.getElementById("dark");

  function choose(theme) {
    if (Object.hasOwn(MEDIA, theme)) dark.media = MEDIA[theme];
  }

  let theme = "system";
  try {
    theme = localStorage.getItem(KEY) ?? theme;
  } catch {
    // The browser keeps nothing for this page.
  }
  choose(theme);
  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    if (Object.hasOwn(MEDIA, theme)) select.value = theme;
    select.addEventListener("change", () => {
      choose(select.value);
      try {
        localStorage.setItem(KEY, select.value);
      } catch {
        // It is then forgotten with the page.
      }
    });
  });
})();
