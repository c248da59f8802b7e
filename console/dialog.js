/** A modal dialog of the browser: it keeps the focus inside and gives it back. */

import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

/**
 * @param {{
 *   title: string,
 *   kind?: "sheet" | "box",
 *   onClose?: () => void,
 *   children?: any,
 * }} props without `onClose` it cannot be dismissed
 */
export function Dialog({ title, kind = "sheet", onClose, children }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return html`<dialog
    ref=${element}
    class=${kind}
    aria-labelledby="dialog-title"
    onCancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      onClose?.();
    }}
    onClick=${(/** @type {MouseEvent} */ event) => {
      // A click beside the content is one on the dialog itself.
      if (event.target === element.current) onClose?.();
    }}
  >
    <div class="dialog-body">
      <header>
        <h2 id="dialog-title" tabindex="-1">${title}</h2>
        ${onClose &&
        html`<button class="plain" aria-label=${t("close")} onClick=${onClose}>
          <${Icon} name="close" />
        </button>`}
      </header>
      ${children}
    </div>
  </dialog>`;
}
