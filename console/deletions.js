/** The audit trail: every deletion, newest first. */

import { useEffect, useState } from "preact/hooks";
import { request } from "./api.js";
import { html } from "./html.js";
import { formatMoment, formatNumber, t } from "./i18n.js";
import { href } from "./route.js";
import { EmptyState, ErrorState } from "./states.js";
import { POLL, isRunning } from "./watch.js";

/** @typedef {import("./watch.js").Deletion} Deletion */

const PAGE = 50;

export function DeletionsView() {
  const [deletions, setDeletions] = useState(/** @type {Deletion[] | null} */ (null));
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));

  /** @param {string | null} from */
  async function load(from) {
    setError(null);
    try {
      const page = await request("GET", "/deletions", {
        query: { limit: String(PAGE), ...(from ? { cursor: from } : {}) },
      });
      setDeletions((known) => (from && known ? [...known, ...page.deletions] : page.deletions));
      setCursor(page.nextCursor);
    } catch (problem) {
      setError(/** @type {Error} */ (problem));
    }
  }
  useEffect(() => {
    load(null);
  }, []);
  useEffect(() => {
    if (!deletions?.some(isRunning) || deletions.length > PAGE) return;
    const timer = setTimeout(() => load(null), POLL);
    return () => clearTimeout(timer);
  }, [deletions]);

  return html`<section class="view">
    <h1>${t("nav.deletions")}</h1>
    ${error && html`<${ErrorState} error=${error} onRetry=${() => load(cursor)} />`}
    ${deletions?.length === 0 &&
    html`<${EmptyState} icon="deletions" title=${t("deletions.empty")} text=${t("deletions.emptyHelp")} />`}
    ${!deletions && !error && html`<p class="muted" role="status">${t("loading")}</p>`}
    ${deletions !== null &&
    deletions.length > 0 &&
    html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("nav.deletions")}>
      <table>
        <thead>
          <tr>
            <th scope="col">${t("deletion.when")}</th>
            <th scope="col">${t("deletion.what")}</th>
            <th scope="col" class="number">${t("deletion.links")}</th>
            <th scope="col">${t("deletion.state")}</th>
            <th scope="col">${t("deletion.reason")}</th>
            <th scope="col">${t("deletion.by")}</th>
          </tr>
        </thead>
        <tbody>
          ${deletions.map((deletion) => html`<${Row} key=${deletion.id} deletion=${deletion} />`)}
        </tbody>
      </table>
    </div>`}
    ${cursor && html`<p><button onClick=${() => load(cursor)}>${t("more")}</button></p>`}
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
    return html`<span class="state-running">${t(`deletion.state.${state}`)}</span>
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
