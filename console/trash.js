/** The trash: links that are out of service and can be restored or erased. */

import { useState } from "preact/hooks";
import { Action } from "./access.js";
import { DeleteSheet } from "./delete_sheet.js";
import { FilterBar, TRASH_FIELDS, conditionsOf } from "./filter.js";
import { Grid } from "./grid.js";
import { classes, html } from "./html.js";
import { formatDay, formatMoment, formatRelative, t } from "./i18n.js";
import { useList } from "./list.js";
import { summary, withoutScheme } from "./links.js";
import { go, href } from "./route.js";
import { linksVersion, useRowSelection } from "./selection.js";
import { EmptyState, ErrorState, NoMatch } from "./states.js";
import { useStore } from "./store.js";
import { showError } from "./toasts.js";
import { undo } from "./undo.js";

/** The API's largest page of the trash. @type {[number, number]} */
const TRASH_PAGES = [100, 100];

/** @param {{ query: URLSearchParams }} props */
export function TrashView({ query }) {
  const conditions = conditionsOf(query, TRASH_FIELDS);
  /** @type {ReturnType<typeof useList<any>>} */
  const list = useList("trash", conditions, useStore(linksVersion), TRASH_PAGES);
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [erasing, setErasing] = useState(false);
  const links = list.items;
  const rows = useRowSelection(links, chosen, setChosen);
  const here = links.filter(({ id }) => chosen.has(id));

  /** A restore is of one deletion, so there is one for each that the links come from. */
  async function restore() {
    const deletions = new Set(here.map(({ deletionId }) => deletionId));
    setChosen(new Set());
    for (const deletionId of deletions) {
      const part = here.filter((link) => link.deletionId === deletionId);
      await undo(deletionId, part.map(({ id }) => id)).catch(showError);
    }
  }

  return html`<section class="view">
    <${FilterBar} fields=${TRASH_FIELDS} conditions=${conditions}><h1>${t("nav.trash")}</h1><//>
    <div class=${classes("toolbar", here.length > 0 && "on")} role="group" aria-label=${t("links.actions")}>
      <p aria-live="polite">${summary(list, here.length)}</p>
      <span class="grow"></span>
      ${here.length > 0 &&
      html`<${Action} label="trash.restore" scopes=${["linksRestore"]} icon="undo" onClick=${restore} />
        <${Action} label="trash.erase" scopes=${["linksErase"]} kind="danger" onClick=${() => setErasing(true)} />`}
    </div>
    ${list.error && html`<${ErrorState} error=${list.error} onRetry=${list.retry} />`}
    ${!list.loading && !list.error && links.length === 0
      ? conditions.size > 0
        ? html`<${NoMatch} title=${t("links.none")} />`
        : html`<${EmptyState} icon="trash" title=${t("trash.empty")} text=${t("trash.emptyHelp")} />`
      : html`<${Grid}
          key=${conditions.toString()}
          kind="trash-grid"
          label=${t("nav.trash")}
          columns=${[
            { name: "link", label: t("links.link") },
            { name: "reason", label: t("fact.reason") },
            { name: "by", label: t("fact.by") },
            { name: "deleted", label: t("trash.deleted") },
            { name: "until", label: t("trash.until") },
          ]}
          count=${links.length}
          cells=${(/** @type {number} */ index) => trashCells(links[index])}
          ...${rows}
          onOpen=${(/** @type {number} */ index) => go(href("deletions", links[index].deletionId))}
          onNearEnd=${list.loadMore}
        />`}
    ${erasing &&
    html`<${DeleteSheet}
      selected=${{ kind: "ids", ids: new Set(here.map(({ id }) => id)) }}
      onlyErase
      onClose=${() => setErasing(false)}
    />`}
  </section>`;
}

/** @param {any} link */
function trashCells(link) {
  return [
    html`<div class="two-lines">
      <span class="title" dir="auto">${link.title ?? link.shortCode}</span>
      <span class="sub"><bdi dir="ltr">${withoutScheme(link.shortUrl)}</bdi></span>
    </div>`,
    html`<bdi dir="auto" class="cut">${link.reason ?? "–"}</bdi>`,
    html`<bdi dir="ltr">${link.deletedBy.userId || link.deletedBy.keyId}</bdi>`,
    html`<a tabindex="-1" href=${href("deletions", link.deletionId)} title=${formatMoment(link.deletedAt)}>
      ${formatRelative(link.deletedAt)}
    </a>`,
    link.restorableUntil ? formatDay(link.restorableUntil) : t("trash.kept"),
  ];
}
