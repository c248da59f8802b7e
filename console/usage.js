/** The plan: its limits, what is used of them, and the workspace's policies. */

import { useAnswer } from "./answer.js";
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
  const { value: me, error, reload } = useAnswer((signal) => request("GET", "/me", { signal }), []);
  return html`<section class="view">
    <h1>${t("nav.usage")}</h1>
    ${error && html`<${ErrorState} error=${error} onRetry=${reload} />`}
    ${me &&
    html`<${PlanFacts}
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
      <${PlanFacts} title=${t("usage.plan", { name: me.plan.name })} facts=${some(me.plan, PLAN)} />
      <${PlanFacts} title=${t("usage.policies")} facts=${some(me.policies, POLICIES)} />`}
  </section>`;
}

/** @param {{ title: string, facts: Record<string, any> }} props */
function PlanFacts({ title, facts }) {
  return html`<h2>${title}</h2>
    <dl class="facts">
      ${Object.entries(facts).map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${t(`usage.${name}`)}</dt>
            <dd><bdi>${factText(value)}</bdi></dd>
          </div>`,
      )}
    </dl>`;
}

/** @param {unknown} value */
function factText(value) {
  if (typeof value === "number") return formatNumber(value);
  return value === null ? "–" : String(value);
}
