/** Short messages at the edge of the page, with at most one action each. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { createStore, useStore } from "./store.js";

/**
 * @typedef {object} Toast
 * @property {number} id
 * @property {string} text
 * @property {"info" | "error"} kind
 * @property {{ label: string, run: () => void }} [action]
 * @property {{ label: string, href: string }} [link]
 */

/** How long a message stays, in milliseconds; it waits under the pointer and the focus. */
const TOAST_TIME = 20_000;

const toasts = createStore(/** @type {Toast[]} */ ([]));
let last = 0;

/**
 * @param {string} text
 * @param {Partial<Omit<Toast, "id" | "text">>} [more]
 */
export function showToast(text, more = {}) {
  const toast = { kind: /** @type {"info" | "error"} */ ("info"), ...more, id: ++last, text };
  toasts.set([...toasts.get().slice(-2), toast]);
}

/** @param {unknown} error */
export function showError(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  showToast(error instanceof Error ? error.message : String(error), { kind: "error" });
}

/** @param {number} id */
function closeToast(id) {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

/** Runs the action of the newest message that has one, as Ctrl-Z does. */
export function runLastAction() {
  const toast = toasts.get().findLast((each) => each.action);
  if (toast) runAction(toast);
  return toast !== undefined;
}

/** @param {Toast} toast */
function runAction(toast) {
  closeToast(toast.id);
  toast.action?.run();
}

export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map((toast) => html`<${OneToast} key=${toast.id} toast=${toast} />`)}
  </div>`;
}

/** @param {{ toast: Toast }} props */
function OneToast({ toast }) {
  const [held, setHeld] = useState(false);
  const left = useRef(TOAST_TIME);
  useEffect(() => {
    if (held) return;
    const began = Date.now();
    const timer = setTimeout(() => closeToast(toast.id), left.current);
    return () => {
      clearTimeout(timer);
      left.current -= Date.now() - began;
    };
  }, [held]);
  return html`<div
    class=${`toast ${toast.kind}`}
    onMouseEnter=${() => setHeld(true)}
    onMouseLeave=${() => setHeld(false)}
    onFocusCapture=${() => setHeld(true)}
    onBlurCapture=${() => setHeld(false)}
  >
    <span class="grow">${toast.text}</span>
    ${toast.action &&
    html`<button class="plain strong" onClick=${() => runAction(toast)}>${toast.action.label}</button>`}
    ${toast.link && html`<a href=${toast.link.href}>${toast.link.label}</a>`}
    <button class="plain" aria-label=${t("close")} onClick=${() => closeToast(toast.id)}>
      <${Icon} name="close" />
    </button>
  </div>`;
}
