/** Which keys belong to a view and which to the field that has the focus. */

/** Whether the key goes to a field. @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return target.closest?.("input, textarea, select") !== null;
}

/**
 * The key in the Latin layout, for shortcuts: with an Arabic one, Ctrl-Z is a Ctrl and another letter.
 * @param {KeyboardEvent} event
 */
export const latinKey = ({ key, code, shiftKey }) =>
  key <= "~" ? key : code === "Slash" ? (shiftKey ? "?" : "/") : code.slice(-1).toLowerCase();

/** Whether a dialog is open, which has all keys. */
export const dialogIsOpen = () => document.querySelector("dialog[open]") !== null;
