/** One deletion: how far it is, what became of each id, and the way back. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Action } from "./access.js";
import { request } from "./api.js";
import { ModeBadge, Progress } from "./deletions.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { formatExact, formatMoment, formatNumber, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { href } from "./route.js";
import { linksVersion, useRowSelection } from "./selection.js";
import { ErrorState, Loading } from "./states.js";
import { useStore } from "./store.js";
import { showError } from "./toasts.js";
import { undo } from "./undo.js";
import { POLL, isRunning, mayRestore } from "./watch.js";

/** @typedef {import("./watch.js").Deletion} Deletion */
/** @typedef {{ id: string, outcome: string }} Result */

/** Outcomes in one page. */
const OUTCOMES_PAGE = 1000;

/** @param {{ id: string }} props */
export function DeletionPage({ id }) {
  const [deletion, setDeletion] = useState(/** @type {any} */ (null));
  const [results, setResults] = useState(/** @type {Result[]} */ ([]));
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const rows = useRowSelection(results.map((each) => each.id), chosen, setChosen);
  const version = useStore(linksVersion);
  const loading = useRef(false);

  /** @param {string | null} from */
  async function load(from) {
    if (loading.current) return;
    loading.current = true;
    try {
      const page = await request("GET", `/deletions/${id}`, {
        query: { limit: String(OUTCOMES_PAGE), ...(from ? { cursor: from } : {}) },
      });
      setError(null);
      setDeletion(page);
      setResults((known) => (from ? [...known, ...page.results] : page.results));
      setCursor(page.nextCursor);
    } catch (problem) {
      setError(/** @type {Error} */ (problem));
    } finally {
      loading.current = false;
    }
  }
  useEffect(() => {
    load(null);
  }, [version]);
  useEffect(() => {
    if (!deletion || !isRunning(deletion)) return;
    const timer = setTimeout(() => load(null), POLL);
    return () => clearTimeout(timer);
  }, [deletion]);

  if (!deletion) {
    return html`<section class="view">
      <h1>${t("deletion.title")}</h1>
      ${error
        ? html`<${ErrorState} error=${error} onRetry=${() => load(null)} />`
        : html`<${Loading} />`}
    </section>`;
  }

  /** @param {string[]} [ids] */
  async function restore(ids) {
    try {
      await undo(id, ids);
      setChosen(new Set());
    } catch (problem) {
      showError(problem);
    }
  }

  const inTrash = deletion.mode === "soft" && !isRunning(deletion) && deletion.counts.deleted > 0;
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
    <div class="live" role="status">
      <span>${t(`deletion.state.${deletion.state}${isRunning(deletion) ? "Long" : ""}`)}</span>
      ${isRunning(deletion) && html`<${Progress} counts=${deletion.counts} />`}
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
        html`<bdi dir="ltr" class="mono">${results[index].id}</bdi>`,
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
      toggleAllLabel=${t("links.selectLoaded")}
      onNearEnd=${() => cursor && load(cursor)}
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

