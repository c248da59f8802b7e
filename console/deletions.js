/** The audit trail: every deletion, newest first. */

import { DELETION_FIELDS, FilterBar, conditionsOf } from "./filter.js";
import { html } from "./html.js";
import { formatMoment, formatNumber, t } from "./i18n.js";
import { useList } from "./list.js";
import { href } from "./route.js";
import { EmptyState, ErrorState, Loading, NoMatch } from "./states.js";
import { isRunning } from "./watch.js";

/** @typedef {import("./watch.js").Deletion} Deletion */

/** @type {[number, number]} */
const TRAIL_PAGES = [50, 50];

/** Only on the first page: loading again would take the others away. @param {{ items: Deletion[] }} list */
const someRun = ({ items }) => items.length <= TRAIL_PAGES[0] && items.some(isRunning);

/** @param {{ query: URLSearchParams }} props */
export function DeletionsView({ query }) {
  const conditions = conditionsOf(query, DELETION_FIELDS);
  /** @type {ReturnType<typeof useList<Deletion>>} */
  const list = useList("deletions", conditions, 0, TRAIL_PAGES, someRun);
  const deletions = list.items;

  return html`<section class="view">
    <${FilterBar} fields=${DELETION_FIELDS} conditions=${conditions}>
      <h1>${t("nav.deletions")}</h1>
    <//>
    ${list.error && html`<${ErrorState} error=${list.error} onRetry=${list.retry} />`}
    ${deletions.length === 0 &&
    !list.error &&
    (list.loading
      ? html`<${Loading} />`
      : conditions.size > 0
        ? html`<${NoMatch} title=${t("deletions.none")} />`
        : html`<${EmptyState} icon="deletions" title=${t("deletions.empty")} text=${t("deletions.emptyHelp")} />`)}
    ${deletions.length > 0 &&
    html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("nav.deletions")}>
      <table>
        <thead>
          <tr>
            <th scope="col">${t("deletion.when")}</th>
            <th scope="col">${t("deletion.mode")}</th>
            <th scope="col" class="number">${t("nav.links")}</th>
            <th scope="col">${t("deletion.state")}</th>
            <th scope="col">${t("fact.reason")}</th>
            <th scope="col">${t("fact.by")}</th>
          </tr>
        </thead>
        <tbody>
          ${deletions.map((deletion) => html`<${Row} key=${deletion.id} deletion=${deletion} />`)}
        </tbody>
      </table>
    </div>`}
    ${list.cursor && html`<p><button onClick=${list.loadMore}>${t("more")}</button></p>`}
  </section>`;
}

/** @param {{ deletion: Deletion }} props */
function Row({ deletion }) {
  const { counts } = deletion;
  return html`<tr>
    <td class="nowrap">
      <a href=${href("deletions", deletion.id)}>${formatMoment(deletion.createdAt)}</a>
    </td>
    <td><${ModeBadge} mode=${deletion.mode} /></td>
    <td class="number">${formatNumber(counts.requested)}</td>
    <td class="state"><${StateText} deletion=${deletion} /></td>
    <td class="text" dir="auto">${deletion.reason ?? "–"}</td>
    <td><bdi dir="ltr">${deletion.actor.userId || deletion.actor.keyId}</bdi></td>
  </tr>`;
}

/** @param {{ mode: "soft" | "erase" }} props */
export const ModeBadge = ({ mode }) =>
  html`<span class=${`badge ${mode}`}>${t(`deletion.mode.${mode}`)}</span>`;

/** @param {{ deletion: Deletion }} props */
export function StateText({ deletion }) {
  const { counts, state } = deletion;
  if (isRunning(deletion)) {
    return html`${t(`deletion.state.${state}`)}
      <${Progress} counts=${counts} />`;
  }
  if (counts.restored > 0) return t("deletion.restored", { n: counts.restored });
  return t(`deletion.state.${state}`);
}

/** @param {{ counts: Deletion["counts"] }} props */
export function Progress({ counts }) {
  const done = counts.requested - counts.pending;
  return html`<progress
    max=${counts.requested || 1}
    value=${done}
    aria-label=${t("deletion.progress", { done, n: counts.requested })}
  ></progress>`;
}
