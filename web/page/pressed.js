// Buttons that pause and resume.

/** @param {HTMLButtonElement} button @param {boolean} isPressed */
export function setPressed(button, isPressed) {
  button.setAttribute("aria-pressed", String(isPressed));
  button.textContent = isPressed ? "Resume" : "Pause";
}
