// Gives people what the page has: files to save, and text for the clipboard.

/** Saves a file named after the port and the time. @param {Blob} blob @param {string} port @param {string} ending */
export function save(blob, port, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  link.download = `${port}-${time}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Copies a text, and says on the button whether that worked. @param {string} text @param {HTMLButtonElement} button */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Over plain http from another computer, a browser has no clipboard, but still copies a selection.
    button.textContent = copySelected(text) ? "Copied" : "Not allowed";
    button.focus();
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

/** Copies a text by selecting it. Returns false if the browser does not allow that. @param {string} text */
function copySelected(text) {
  const box = document.createElement("textarea");
  box.className = "unseen";
  box.value = text;
  document.body.append(box);
  box.select();
  const isCopied = document.execCommand("copy");
  box.remove();
  return isCopied;
}
