/** The audit trail: every deletion, newest first. */

import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "./api.js";
import { html } from "./html.js";
import { formatMoment, formatNumber, t } from "./i18n.js";
import { href, replaceQuery } from "./route.js";
import { EmptyState, ErrorState } from "./states.js";
import { POLL, isRunning } from "./watch.js";

/** @typedef {import("./watch.js").Deletion} Deletion */

const PAGE = 50;

/** The conditions of `GET /api/deletions` that the view offers, with their label and values. */
const FILTERS = {
  state: ["deletion.state", "accepted", "exporting", "deleting", "erasing", "complete", "failed"],
  mode: ["deletion.what", "soft", "erase"],
};

/** @param {{ query: URLSearchParams }} props */
export function DeletionsView({ query }) {
  const conditions = Object.fromEntries(
    Object.entries(FILTERS).flatMap(([name, [, ...values]]) => {
      const value = query.get(name) ?? "";
      return values.includes(value) ? [[name, value]] : [];
    }),
  );
  const key = JSON.stringify(conditions);
  const wanted = useRef(key);
  wanted.current = key;
  const [deletions, setDeletions] = useState(/** @type {Deletion[] | null} */ (null));
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));

  /** @param {string | null} from */
  async function load(from) {
    setError(null);
    try {
      /** @type {Deletion[]} */
      const found = [];
      let next = from;
      // With a filter a page can be empty and still have a next one.
      do {
        const page = await request("GET", "/deletions", {
          query: { limit: String(PAGE), ...conditions, ...(next ? { cursor: next } : {}) },
        });
        // Meanwhile another filter was chosen.
        if (wanted.current !== key) return;
        found.push(...page.deletions);
        next = page.nextCursor;
      } while (next && found.length === 0);
      setDeletions((known) => (from && known ? [...known, ...found] : found));
      setCursor(next);
    } catch (problem) {
      if (wanted.current === key) setError(/** @type {Error} */ (problem));
    }
  }
  useEffect(() => {
    setDeletions(null);
    setCursor(null);
    load(null);
  }, [key]);
  useEffect(() => {
    if (!deletions?.some(isRunning) || deletions.length > PAGE) return;
    const timer = setTimeout(() => load(null), POLL);
    return () => clearTimeout(timer);
  }, [deletions]);

  return html`<section class="view">
    <h1>${t("nav.deletions")}</h1>
    <div class="filter-line">
      ${Object.entries(FILTERS).map(
        ([name, [label, ...values]]) => html`<label key=${name} class="field">
          <span>${t(label)}</span>
          <select
            name=${name}
            value=${conditions[name] ?? ""}
            onChange=${(/** @type {any} */ event) => {
              const { [name]: _, ...others } = conditions;
              const { value } = event.target;
              replaceQuery(new URLSearchParams(value ? { ...others, [name]: value } : others));
            }}
          >
            <option value="">${t("filter.any")}</option>
            ${values.map(
              (value) => html`<option key=${value} value=${value}>
                ${t(`deletion.${name}.${value}`)}
              </option>`,
            )}
          </select>
        </label>`,
      )}
    </div>
    ${error && html`<${ErrorState} error=${error} onRetry=${() => load(cursor)} />`}
    ${deletions?.length === 0 &&
    (key === "{}"
      ? html`<${EmptyState} icon="deletions" title=${t("deletions.empty")} text=${t("deletions.emptyHelp")} />`
      : html`<p class="muted" role="status">${t("deletions.none")}</p>`)}
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
