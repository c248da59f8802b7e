/** Which keys belong to a view and which to the field that has the focus. */

/** Whether the key goes to a field. @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return target.closest?.("input, textarea, select") !== null;
}

/** Whether a dialog is open, which has all keys. */
export const dialogIsOpen = () => document.querySelector("dialog[open]") !== null;
