/** API keys: issue one with scopes, see when each was used, revoke. */

import { useState } from "preact/hooks";
import { useAnswer } from "./answer.js";
import { request } from "./api.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { formatDay, formatMoment, t } from "./i18n.js";
import { CopyButton } from "./copy.js";
import { session } from "./session.js";
import { ErrorState } from "./states.js";
import { showError, showToast } from "./toasts.js";

/** @param {AbortSignal} signal */
async function allKeys(signal) {
  const found = [];
  let cursor = "";
  do {
    const query = { limit: "100", ...(cursor && { cursor }) };
    const page = await request("GET", "/keys", { query, signal });
    found.push(...page.keys);
    cursor = page.nextCursor;
  } while (cursor);
  return found;
}

export function KeysView() {
  const { value: keys = [], error, reload } = useAnswer(allKeys, []);
  const [issued, setIssued] = useState(/** @type {any} */ (null));
  const [revoking, setRevoking] = useState(/** @type {any} */ (null));

  /** @param {any} event */
  async function issue(event) {
    event.preventDefault();
    const data = new FormData(event.target);
    const day = data.get("expiresAt");
    try {
      setIssued(
        await request("POST", "/keys", {
          body: {
            name: data.get("name"),
            scopes: data.getAll("scope"),
            ...(day ? { expiresAt: new Date(`${day}T00:00`).toISOString() } : {}),
          },
          once: true,
        }),
      );
      event.target.reset();
      reload();
    } catch (problem) {
      showError(problem);
    }
  }

  async function revoke() {
    const { keyId, last } = revoking;
    try {
      await request("DELETE", `/keys/${encodeURIComponent(keyId)}`, {
        query: last ? { lastAdmin: "true" } : {},
        once: true,
      });
      setRevoking(null);
      showToast(t("keys.revoked"));
      reload();
    } catch (problem) {
      if (/** @type {any} */ (problem).body?.lastAdmin) setRevoking({ ...revoking, last: true });
      else showError(problem);
    }
  }

  return html`<section class="view">
    <h1>${t("nav.keys")}</h1>
    ${error && html`<${ErrorState} error=${error} onRetry=${reload} />`}
    <form class="panel" onSubmit=${issue}>
      <h2>${t("keys.new")}</h2>
      <div class="conditions bare">
        <label class="field">
          <span>${t("keys.name")}</span>
          <input name="name" dir="auto" required maxlength="100" />
        </label>
        <label class="field">
          <span>${t("field.expiresAt")}</span>
          <input name="expiresAt" type="date" />
        </label>
      </div>
      <fieldset class="scopes">
        <legend>${t("usage.scopes")}</legend>
        ${session.get()?.me.scopes.map(
          (scope) => html`<label key=${scope} class="tick">
            <input type="checkbox" name="scope" value=${scope} defaultChecked=${scope === "linksRead"} />
            <bdi dir="ltr">${scope}</bdi>
          </label>`,
        )}
      </fieldset>
      <div class="form-end"><button class="primary">${t("keys.issue")}</button></div>
    </form>
    <div class="table-wrap" tabindex="0" role="region" aria-label=${t("nav.keys")}>
      <table>
        <thead>
          <tr>
            <th scope="col">${t("keys.name")}</th>
            <th scope="col">${t("usage.scopes")}</th>
            <th scope="col">${t("keys.used")}</th>
            <th scope="col">${t("field.expiresAt")}</th>
            <th scope="col">${t("deletion.state")}</th>
          </tr>
        </thead>
        <tbody>
          ${keys.map(
            (key) => html`<tr key=${key.keyId}>
              <td><strong><bdi>${key.name}</bdi></strong><br /><bdi dir="ltr" class="mono muted">${key.keyId}</bdi></td>
              <td><bdi dir="ltr">${key.scopes.join(", ")}</bdi></td>
              <td>${formatMoment(key.lastUsedAt)}</td>
              <td>${formatDay(key.expiresAt)}</td>
              <td>
                ${key.state === "active"
                  ? html`<button onClick=${() => setRevoking(key)}>${t("keys.revoke")}</button>`
                  : t(`keys.${key.state}`)}
              </td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${issued &&
    html`<${Dialog} kind="box" title=${t("keys.once")} onClose=${() => setIssued(null)}>
      <p>${t("keys.onceHelp")}</p>
      <p class="sub"><code dir="ltr" class="secret">${issued.secret}</code><${CopyButton} text=${issued.secret} /></p>
    <//>`}
    ${revoking &&
    html`<${Dialog} kind="box" title=${t("keys.revoke")} onClose=${() => setRevoking(null)}>
      <p>${t(revoking.last ? "keys.lastAdmin" : "keys.revokeHelp", { name: revoking.name })}</p>
      <div class="form-end">
        <button onClick=${() => setRevoking(null)}>${t("cancel")}</button>
        <button class="danger" onClick=${revoke}>${t("keys.revoke")}</button>
      </div>
    <//>`}
  </section>`;
}
