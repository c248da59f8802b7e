/** Messages outside the view: why requests wait, and short messages. */

import { useEffect, useState } from "preact/hooks";
import { retryNow, waiting } from "./api.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { createStore, useStore } from "./store.js";
import { Toasts } from "./toasts.js";

/** How many dialogs are open: the last one has the messages, because the rest is inert. */
export const openDialogs = createStore(0);

/** @param {{ level: number }} props the number of the dialog; 0 is the page */
export function Messages({ level }) {
  if (useStore(openDialogs) !== level) return null;
  return html`<${WaitingBanner} /><${Toasts} />`;
}

/** Says why a request waits, and for how long. */
function WaitingBanner() {
  const reason = useStore(waiting);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!reason) return;
    const timer = setInterval(() => tick((n) => n + 1), 500);
    return () => clearInterval(timer);
  }, [reason]);
  if (!reason) return null;
  const left = Math.max(0, Math.ceil((reason.until - Date.now()) / 1000));
  return html`<div class="banner" role="status">
    <${Icon} name="warning" />
    <span>${t(`waiting.${reason.kind}`)}</span>
    <span aria-hidden="true">${t("waiting.left", { n: left })}</span>
    ${reason.kind !== "limited" && html`<button onClick=${retryNow}>${t("retry")}</button>`}
  </div>`;
}
