/** The links: find, select, delete. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Action, whyNot } from "./access.js";
import { request } from "./api.js";
import { CopyButton } from "./copy.js";
import { DeleteSheet } from "./delete_sheet.js";
import { EmptyState, ErrorState, NoMatch } from "./states.js";
import { FilterBar, LINK_FIELDS, conditionsOf, filterBody } from "./filter.js";
import { Grid } from "./grid.js";
import { classes, html } from "./html.js";
import { formatDay, formatNumber, t } from "./i18n.js";
import { dialogIsOpen, isTyping, latinKey } from "./keyboard.js";
import { useList } from "./list.js";
import { go, href } from "./route.js";
import {
  clearSelection,
  linksVersion,
  selectFilter,
  selectIds,
  selectedCount,
  selection,
  useRowSelection,
} from "./selection.js";
import { may } from "./session.js";
import { useStore } from "./store.js";
import { showToast } from "./toasts.js";

/** @typedef {import("./list.js").Link} Link */

/** @param {{ query: URLSearchParams }} props */
export function LinksView({ query }) {
  const conditions = conditionsOf(query, LINK_FIELDS);
  const version = useStore(linksVersion);
  /** @type {ReturnType<typeof useList<Link>>} */
  const list = useList("links", conditions, version, LINK_PAGES);
  const selected = useStore(selection);
  const [deleting, setDeleting] = useState(false);
  const links = list.items;
  const byFilter = selected.kind === "filter";
  // Clicking into "all that match" begins a selection by hand.
  const rows = useRowSelection(
    links,
    selected.kind === "ids" ? selected.ids : new Set(),
    selectIds,
  );
  const more = list.cursor !== null && mayDelete();
  const matching = useMatching(conditions, more && rows.allSelected);
  const count = selectedCount(selected);

  const seen = useRef(conditions.toString());
  useEffect(() => {
    // Another filter: what was selected is out of sight, and must not be deleted unseen.
    if (seen.current !== conditions.toString()) clearSelection();
    seen.current = conditions.toString();
  }, [conditions.toString()]);

  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function onKey(event) {
      if (dialogIsOpen()) return;
      if (event.key === "Escape") {
        if (isTyping(event)) focusTable();
        else clearSelection();
      } else if (isTyping(event)) {
        return;
      } else if (latinKey(event) === "/") {
        event.preventDefault();
        document.getElementById("filter-title")?.focus();
      } else if (event.key === "Delete" && selectedCount(selection.get()) > 0) {
        event.preventDefault();
        if (mayDelete()) setDeleting(true);
        else showToast(whyNot("links.delete", DELETE_SCOPES));
      }
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  return html`<section class="view">
    <h1 class="hidden">${t("nav.links")}</h1>
    <${FilterBar} fields=${LINK_FIELDS} conditions=${conditions} />
    <div class=${classes("toolbar", count > 0 && "on")} role="group" aria-label=${t("links.actions")}>
      <p aria-live="polite">${summary(list, count, byFilter)}</p>
      ${count > 0 &&
      html`
        ${matching !== null &&
        selected.kind === "ids" &&
        html`<button
          class="plain strong"
          onClick=${() => selectFilter(matching.filter, matching.count)}
        >
          ${t("links.selectMatching", { n: matching.count })}
        </button>`}
        <span class="grow"></span>
        <button class="plain" onClick=${clearSelection}>${t("links.clear")}</button>
        <${DeleteButton} onClick=${() => setDeleting(true)} />
      `}
      ${count === 0 && html`<span class="grow"></span><${NewButton} />`}
    </div>
    ${list.error &&
    html`<${ErrorState} error=${list.error} onRetry=${list.retry} />`}
    ${!list.loading && !list.error && links.length === 0
      ? html`<${NoLinks} filtered=${conditions.size > 0} />`
      : html`<${Grid}
          key=${conditions.toString()}
          kind="links-grid"
          label=${t("nav.links")}
          columns=${columns()}
          count=${links.length}
          cells=${(/** @type {number} */ index) => linkCells(links[index])}
          ...${rows}
          isSelected=${byFilter ? () => true : rows.isSelected}
          allSelected=${byFilter || rows.allSelected}
          onToggleAll=${byFilter ? clearSelection : rows.onToggleAll}
          onOpen=${(/** @type {number} */ index) => go(href("links", links[index].id))}
          onNearEnd=${list.loadMore}
        />`}
    ${deleting &&
    html`<${DeleteSheet} selected=${selected} known=${links} onClose=${() => setDeleting(false)} />`}
  </section>`;
}

const focusTable = () =>
  /** @type {HTMLElement | null} */ (document.querySelector(".links-grid"))?.focus();

/** Links in the first page and in the next ones. @type {[number, number]} */
const LINK_PAGES = [100, 1000];

/** Of these scopes one is needed to delete. */
const DELETE_SCOPES = ["linksWrite", "linksErase"];
const mayDelete = () => DELETE_SCOPES.some(may);

/** @param {{ onClick: () => void }} props */
export const DeleteButton = ({ onClick }) =>
  html`<${Action} label="links.delete" scopes=${DELETE_SCOPES} icon="trash" onClick=${onClick} />`;

/** @param {{ kind?: string }} props */
export const NewButton = ({ kind }) =>
  html`<${Action} label="new.open" scopes=${["linksWrite"]} icon="add" kind=${kind} to=${href("new")} />`;

const columns = () => [
  { name: "link", label: t("links.link") },
  { name: "target", label: t("field.originalUrl") },
  { name: "tags", label: t("links.tags") },
  { name: "clicks", label: t("links.clicks") },
  { name: "created", label: t("links.created") },
];

/** @param {Link} link */
function linkCells(link) {
  const expired = link.expiresAt !== null && Date.parse(link.expiresAt) <= Date.now();
  return [
    html`<div class="two-lines">
      <a class="title" dir="auto" tabindex="-1" href=${href("links", link.id)}>
        ${link.title ?? link.shortCode}
      </a>
      <span class="sub">
        <bdi dir="ltr">${withoutScheme(link.shortUrl)}</bdi>
        <${CopyButton} text=${link.shortUrl} inRow />
        ${!link.isActive && html`<span class="badge">${t("filter.isActive.false")}</span>`}
        ${expired && html`<span class="badge">${t("filter.expired.true")}</span>`}
      </span>
    </div>`,
    html`<bdi dir="ltr" class="cut" title=${link.originalUrl}>${withoutScheme(link.originalUrl)}</bdi>`,
    link.tags.map((tag) => html`<span key=${tag} class="tag" dir="auto">${tag}</span>`),
    formatNumber(link.clickCount),
    html`<time datetime=${link.createdAt}>${formatDay(link.createdAt)}</time>`,
  ];
}

/** @param {string} url */
export const withoutScheme = (url) => url.replace(/^https?:\/\//, "");

/**
 * @param {{ items: unknown[], cursor: string | null, loading: boolean }} list
 * @param {number} count of selected links
 * @param {boolean} [byFilter]
 */
export function summary(list, count, byFilter) {
  if (byFilter) return t("links.allSelected", { n: count });
  if (count > 0) return t("links.selected", { n: count });
  if (list.loading && list.items.length === 0) return t("loading");
  return t(list.cursor ? "links.loaded" : "links.found", { n: list.items.length });
}

/**
 * Once all loaded links are selected: how many match in all, by a dry run, which changes nothing.
 * @param {URLSearchParams} conditions
 * @param {boolean} wanted
 */
function useMatching(conditions, wanted) {
  const [matching, setMatching] = useState(
    /** @type {{ filter: Record<string, any>, count: number } | null} */ (null),
  );
  const key = conditions.toString();
  useEffect(() => {
    setMatching(null);
    if (!wanted) return;
    const controller = new AbortController();
    const filter = filterBody(conditions);
    request("POST", "/deletions", {
      body: { filter, mode: may("linksWrite") ? "soft" : "erase", dryRun: true },
      signal: controller.signal,
    }).then(
      (found) => setMatching({ filter, count: found.counts.deletable }),
      (error) => {
        if (!controller.signal.aborted) showToast(error.message, { kind: "error" });
      },
    );
    return () => controller.abort();
  }, [key, wanted]);
  return matching;
}

/** @param {{ filtered: boolean }} props */
function NoLinks({ filtered }) {
  return filtered
    ? html`<${NoMatch} title=${t("links.none")} />`
    : html`<${EmptyState} icon="links" title=${t("links.empty")} text=${t("links.emptyHelp")}>
        <${NewButton} kind="primary" />
      <//>`;
}
