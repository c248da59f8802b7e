/** What a view shows instead of its content. */

import { html } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

/** @param {{ icon: string, title: string, text: string, children?: any }} props */
export function EmptyState({ icon, title, text, children }) {
  return html`<div class="empty">
    <${Icon} name=${icon} />
    <h2>${title}</h2>
    <p>${text}</p>
    ${children}
  </div>`;
}

/** For a filtered list. @param {{ title: string }} props */
export const NoMatch = ({ title }) =>
  html`<${EmptyState} icon="search" title=${title} text=${t("filter.noneHelp")} />`;

export const Loading = () => html`<p class="muted" role="status">${t("loading")}</p>`;

/** @param {{ error: Error, onRetry: () => void }} props */
export function ErrorState({ error, onRetry }) {
  return html`<div class="notice error" role="alert">
    <${Icon} name="warning" />
    <span class="grow" dir="auto">${error.message}</span>
    <button onClick=${onRetry}>${t("retry")}</button>
  </div>`;
}
