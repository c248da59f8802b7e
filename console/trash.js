/** The trash: links that are out of service and can be restored or erased. */

import { useState } from "preact/hooks";
import { DeleteSheet } from "./delete_sheet.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { formatDay, formatMoment, formatRelative, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { useLinkList } from "./link_list.js";
import { withoutScheme } from "./links.js";
import { go, href } from "./route.js";
import { linksVersion } from "./selection.js";
import { may } from "./session.js";
import { EmptyState, ErrorState } from "./states.js";
import { useStore } from "./store.js";
import { showError } from "./toasts.js";
import { undo } from "./undo.js";

/** The API's largest page of the trash. */
const PAGE = 100;

export function TrashView() {
  const version = useStore(linksVersion);
  const list = useLinkList("/trash", new URLSearchParams(), version, PAGE);
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [erasing, setErasing] = useState(false);
  const links = /** @type {any[]} */ (list.links);
  const here = links.filter(({ id }) => chosen.has(id));

  /** @param {number} index */
  function toggle(index) {
    const next = new Set(chosen);
    if (!next.delete(links[index].id)) next.add(links[index].id);
    setChosen(next);
  }

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
    <h1>${t("nav.trash")}</h1>
    <div class="toolbar ${here.length ? "on" : ""}" role="group" aria-label=${t("links.actions")}>
      <p aria-live="polite">
        ${here.length
          ? t("links.selected", { n: here.length })
          : t(list.cursor ? "links.loaded" : "links.found", { n: links.length })}
      </p>
      <span class="grow"></span>
      ${here.length > 0 &&
      may("linksRestore") &&
      html`<button onClick=${restore}><${Icon} name="undo" />${t("trash.restore")}</button>`}
      ${here.length > 0 &&
      may("linksErase") &&
      html`<button class="danger" onClick=${() => setErasing(true)}>${t("trash.erase")}</button>`}
    </div>
    ${list.error && html`<${ErrorState} error=${list.error} onRetry=${list.retry} />`}
    ${!list.loading && !list.error && links.length === 0
      ? html`<${EmptyState} icon="trash" title=${t("trash.empty")} text=${t("trash.emptyHelp")} />`
      : html`<${Grid}
          kind="trash-grid"
          label=${t("nav.trash")}
          columns=${[
            { name: "link", label: t("links.link") },
            { name: "reason", label: t("deletion.reason") },
            { name: "by", label: t("deletion.by") },
            { name: "deleted", label: t("trash.deleted") },
            { name: "until", label: t("trash.until") },
          ]}
          count=${links.length}
          cells=${(/** @type {number} */ index) => cells(links[index])}
          isSelected=${(/** @type {number} */ index) => chosen.has(links[index].id)}
          onToggle=${toggle}
          onToggleAll=${() =>
            setChosen(here.length === links.length ? new Set() : new Set(links.map(({ id }) => id)))}
          allSelected=${links.length > 0 && here.length === links.length}
          toggleAllLabel=${t("links.selectLoaded")}
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
function cells(link) {
  return [
    html`<div class="two-lines">
      <span class="title"><bdi>${link.title ?? link.shortCode}</bdi></span>
      <span class="sub"><bdi dir="ltr">${withoutScheme(link.shortUrl)}</bdi></span>
    </div>`,
    html`<bdi>${link.reason ?? "–"}</bdi>`,
    html`<bdi dir="ltr">${link.deletedBy.userId || link.deletedBy.keyId}</bdi>`,
    html`<a tabindex="-1" href=${href("deletions", link.deletionId)} title=${formatMoment(link.deletedAt)}>
      ${formatRelative(link.deletedAt)}
    </a>`,
    link.restorableUntil ? formatDay(link.restorableUntil) : t("trash.kept"),
  ];
}
