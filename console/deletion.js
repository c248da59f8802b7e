/** One deletion: how far it is, what became of each id, and the way back. */

import { useState } from "preact/hooks";
import { Action } from "./access.js";
import { ModeBadge, Progress } from "./deletions.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { formatExact, formatMoment, formatNumber, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { useList } from "./list.js";
import { href } from "./route.js";
import { linksVersion, useRowSelection } from "./selection.js";
import { ErrorState, Loading } from "./states.js";
import { useStore } from "./store.js";
import { showError } from "./toasts.js";
import { undo } from "./undo.js";
import { isRunning, mayRestore } from "./watch.js";

/** @typedef {import("./watch.js").Deletion} Deletion */
/** @typedef {{ id: string, outcome: string }} Result */

/** Outcomes in a page. @type {[number, number]} */
const OUTCOME_PAGES = [1000, 1000];
const NO_CONDITIONS = new URLSearchParams();

/** @param {{ id: string }} props */
export function DeletionPage({ id }) {
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  /** @type {ReturnType<typeof useList<Result>>} */
  const list = useList(
    `deletions/${encodeURIComponent(id)}`,
    NO_CONDITIONS,
    useStore(linksVersion),
    OUTCOME_PAGES,
    ({ page }) => page && isRunning(page),
  );
  const { items: results, page: deletion, error } = list;
  const rows = useRowSelection(results, chosen, setChosen);
  const running = deletion && isRunning(deletion);

  const problem = error && html`<${ErrorState} error=${error} onRetry=${list.retry} />`;
  if (!deletion) {
    return html`<section class="view">
      <h1>${t("deletion.title")}</h1>
      ${problem || html`<${Loading} />`}
    </section>`;
  }

  /** @param {string[]} [ids] */
  const restore = (ids) => undo(id, ids).then(() => setChosen(new Set()), showError);

  const inTrash = deletion.mode === "soft" && !running && deletion.counts.deleted > 0;
  const restorable = inTrash && mayRestore(deletion);
  return html`<section class="view">
    <header class="page-head">
      <p><a href=${href("deletions")}>${t("nav.deletions")}</a></p>
      <h1>${t("deletion.of", { when: formatMoment(deletion.createdAt) })}</h1>
      <${ModeBadge} mode=${deletion.mode} />
      <span class="grow"></span>
      ${deletion.export?.url &&
      html`<a class="button" href=${deletion.export.url} download>
        <${Icon} name="download" />${t("deletion.export")}
      </a>`}
      <a class="button" href=${href("deletions", id, "receipt")}>
        <${Icon} name="print" />${t("receipt.title")}
      </a>
      ${inTrash &&
      html`<${Action}
        label="trash.restore"
        scopes=${["linksRestore"]}
        allowed=${restorable}
        icon="undo"
        kind="primary"
        text=${chosen.size
          ? t("deletion.restoreChosen", { n: chosen.size })
          : t("deletion.restoreAll", { n: deletion.counts.deleted })}
        onClick=${() => restore(chosen.size ? [...chosen] : undefined)}
      />`}
    </header>
    ${problem}
    <div class="live" role="status">
      <span>${t(`deletion.state.${deletion.state}${running ? "Long" : ""}`)}</span>
      ${running && html`<${Progress} counts=${deletion.counts} />`}
      ${deletion.failure && html`<span class="error-text" dir="auto">${deletion.failure}</span>`}
    </div>
    <${Facts} deletion=${deletion} />
    <${Grid}
      kind="results-grid"
      label=${t("deletion.outcomes")}
      columns=${[
        { name: "id", label: t("links.link") },
        { name: "outcome", label: t("deletion.outcome") },
      ]}
      count=${results.length}
      cells=${(/** @type {number} */ index) => [
        html`<bdi dir="ltr" class="mono cut">${results[index].id}</bdi>`,
        html`<span class=${`badge ${results[index].outcome}`}>
          ${t(`outcome.${results[index].outcome}`)}
        </span>`,
      ]}
      ...${rows}
      onToggle=${restorable ? rows.onToggle : undefined}
      onToggleAll=${() =>
        setChosen(
          chosen.size
            ? new Set()
            : new Set(results.filter((r) => r.outcome === "deleted").map((r) => r.id)),
        )}
      allSelected=${chosen.size > 0 && chosen.size === deletion.counts.deleted}
      onNearEnd=${running ? undefined : list.loadMore}
    />
  </section>`;
}

/** @param {{ deletion: any }} props */
export function Facts({ deletion }) {
  const { counts, receipt } = deletion;
  /** @type {Array<[string, any]>} */
  const facts = [
    ["id", html`<bdi dir="ltr" class="mono">${deletion.id}</bdi>`],
    ["by", html`<bdi dir="ltr">${deletion.actor.userId} (${deletion.actor.keyId})</bdi>`],
    ["from", deletion.sourceIp && html`<bdi dir="ltr">${deletion.sourceIp}</bdi>`],
    ["reason", deletion.reason && html`<span dir="auto">${deletion.reason}</span>`],
    ["filter", deletion.filter && html`<code dir="ltr">${JSON.stringify(deletion.filter)}</code>`],
    ["accepted", formatExact(deletion.createdAt)],
    ["completed", deletion.completedAt && formatExact(deletion.completedAt)],
  ];
  const shown = /** @type {const} */ (["requested", "deleted", "notFound", "pending", "restored", "failed"]);
  for (const name of shown) {
    if (counts[name] > 0) facts.push([`count.${name}`, formatNumber(counts[name])]);
  }
  for (const [name, value] of Object.entries(receipt ?? {})) {
    if (typeof value === "number") facts.push([`receipt.${name}`, formatNumber(value)]);
  }
  if (receipt?.verifiedEmptyAt) {
    facts.push(["receipt.verifiedEmptyAt", formatExact(receipt.verifiedEmptyAt)]);
  }
  return html`<dl class="facts">
    ${facts
      .filter(([, value]) => value)
      .map(
        ([name, value]) => html`<div key=${name}>
          <dt>${t(`fact.${name}`)}</dt>
          <dd>${value}</dd>
        </div>`,
      )}
  </dl>`;
}

