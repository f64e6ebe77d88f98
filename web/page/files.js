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
  let result = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers allow clipboard access only over https and on localhost.
    result = "Not allowed";
  }
  button.textContent = result;
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
