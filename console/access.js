/** What the user may do, and why not the rest. */

import { classes, html } from "./html.js";
import { formatChoice, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { may, session } from "./session.js";
import { showToast } from "./toasts.js";

/**
 * Why something is not available: the scope that it needs, and the role or key that lacks it.
 * @param {string} label the key of its name
 * @param {string[]} scopes one of them is needed
 */
export function whyNot(label, scopes) {
  const role = session.get()?.me.role;
  return t("access.needs", {
    what: t(label).replace("…", ""),
    scopes: formatChoice(scopes),
    who: role ? t("access.role", { role }) : t("access.key"),
  });
}

/**
 * The content, or why it is not available.
 * @param {{ label: string, scopes: string[], children?: any }} props
 */
export function Guard({ label, scopes, children }) {
  if (scopes.some(may)) return children;
  return html`<p class="notice"><${Icon} name="keys" /><span>${whyNot(label, scopes)}</span></p>`;
}

/**
 * A button, or with `to` a link, that says why when the scopes for it are missing.
 * @param {{
 *   label: string,
 *   scopes: string[],
 *   icon?: string,
 *   kind?: string,
 *   text?: string,
 *   to?: string,
 *   allowed?: boolean,
 *   busy?: boolean,
 *   onClick?: () => void,
 * }} props
 */
export function Action(props) {
  const { label, scopes, icon, kind, text, to, busy, allowed = scopes.some(may) } = props;
  const reason = allowed ? null : whyNot(label, scopes);
  const content = html`${icon && html`<${Icon} name=${icon} />`}${text ?? t(label)}`;
  if (to && !reason) return html`<a class=${classes("button", kind)} href=${to}>${content}</a>`;
  return html`<button
    class=${classes(kind)}
    type="button"
    aria-disabled=${!allowed || Boolean(busy)}
    title=${reason}
    onClick=${() => (reason ? showToast(reason) : busy || props.onClick?.())}
  >
    ${content}
  </button>`;
}
