/** Copying to the clipboard. */

import { classes, html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { showToast } from "./toasts.js";

/**
 * @param {{ text: string | (() => string), label?: string, inRow?: boolean }} props
 *   `label` is shown next to the icon; `inRow`: in a table, whose rows are moved through without Tab
 */
export function CopyButton({ text, label, inRow }) {
  return html`<button
    type="button"
    class=${classes("plain", !label && "copy")}
    tabindex=${inRow ? -1 : 0}
    aria-label=${label ? null : `${t("copy")} ${text}`}
    onClick=${async () => {
      try {
        await navigator.clipboard.writeText(typeof text === "string" ? text : text());
        showToast(t("copy.done"));
      } catch {
        showToast(t("copy.refused"), { kind: "error" });
      }
    }}
  >
    <${Icon} name="copy" />${label}
  </button>`;
}
