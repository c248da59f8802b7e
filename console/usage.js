/** The plan: its limits, what is used of them, and the workspace's policies. */

import { useEffect, useState } from "preact/hooks";
import { request } from "./api.js";
import { html } from "./html.js";
import { formatNumber, t } from "./i18n.js";
import { ErrorState } from "./states.js";

/** What a person asks of a plan and of policies; `GET /api/me` has the rest. */
const PLAN = ["requestsPerMinute", "maxIds", "linksPerWorkspace", "linksPerCreate", "openExports"];
const POLICIES = ["undoMinutes", "retentionDays", "purgeExpiredAfterDays", "quarantineDays", "clickRetentionDays"];

/** @param {Record<string, any>} facts @param {string[]} names */
const some = (facts, names) => Object.fromEntries(names.map((name) => [name, facts[name]]));

export function UsageView() {
  const [me, setMe] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  function load() {
    setError(null);
    request("GET", "/me").then(setMe, setError);
  }
  useEffect(load, []);
  return html`<section class="view">
    <h1>${t("nav.usage")}</h1>
    ${error && html`<${ErrorState} error=${error} onRetry=${load} />`}
    ${me &&
    html`<${Facts}
        title=${t("usage.you")}
        facts=${{
          workspace: me.workspaceId,
          user: me.actor.userId,
          role: me.role ?? t("usage.key"),
          scopes: me.scopes.join(", "),
          ...(me.window && {
            window: t("usage.left", { left: me.window.remaining, n: me.window.limit }),
          }),
        }}
      />
      <${Facts} title=${t("usage.plan", { name: me.plan.name })} facts=${some(me.plan, PLAN)} />
      <${Facts} title=${t("usage.policies")} facts=${some(me.policies, POLICIES)} />`}
  </section>`;
}

/** @param {{ title: string, facts: Record<string, any> }} props */
function Facts({ title, facts }) {
  return html`<h2>${title}</h2>
    <dl class="facts">
      ${Object.entries(facts).map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${t(`usage.${name}`)}</dt>
            <dd><bdi>${inWords(value)}</bdi></dd>
          </div>`,
      )}
    </dl>`;
}

/** @param {unknown} value */
function inWords(value) {
  if (typeof value === "number") return formatNumber(value);
  return value === null ? "–" : String(value);
}
