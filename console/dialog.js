/** A modal dialog of the browser: it keeps the focus inside and gives it back. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Messages, openDialogs } from "./messages.js";

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
  const [level, setLevel] = useState(-1);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    openDialogs.set(openDialogs.get() + 1);
    setLevel(openDialogs.get());
    return () => {
      openDialogs.set(openDialogs.get() - 1);
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return html`<dialog
    ref=${element}
    class=${kind}
    aria-label=${title}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      // Else the browser closes it, or the dialog behind it.
      if (event.key === "Escape" && !onClose) event.preventDefault();
    }}
    onClose=${onClose ?? (() => element.current?.showModal())}
    onMouseDown=${(/** @type {MouseEvent} */ event) => {
      // Outside the content it is on the dialog itself. Text may be selected from inside to there.
      if (event.target === element.current) onClose?.();
    }}
  >
    <${Messages} level=${level} />
    <div class="dialog-body">
      <header>
        <h2 tabindex="-1">${title}</h2>
        ${onClose &&
        html`<button class="plain" aria-label=${t("close")} onClick=${onClose}>
          <${Icon} name="close" />
        </button>`}
      </header>
      ${children}
    </div>
  </dialog>`;
}
