/** The links: find, select, delete. */

import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "./api.js";
import { DeleteSheet } from "./delete_sheet.js";
import { EmptyState, ErrorState } from "./states.js";
import { FilterBar, conditionsOf, filterBody } from "./filter.js";
import { Grid } from "./grid.js";
import { classes, html } from "./html.js";
import { formatDay, formatNumber, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { dialogIsOpen, isTyping } from "./keyboard.js";
import { useLinkList } from "./link_list.js";
import { go, href } from "./route.js";
import {
  clearSelection,
  linksVersion,
  selectFilter,
  selectIds,
  selectedCount,
  selection,
  toggle,
} from "./selection.js";
import { may } from "./session.js";
import { useStore } from "./store.js";
import { showToast } from "./toasts.js";

/** @typedef {import("./link_list.js").Link} Link */

/** @param {{ query: URLSearchParams }} props */
export function LinksView({ query }) {
  const conditions = conditionsOf(query);
  const version = useStore(linksVersion);
  const list = useLinkList("/links", conditions, version, 1000);
  const selected = useStore(selection);
  const [deleting, setDeleting] = useState(false);
  const anchor = useRef(/** @type {number | null} */ (null));
  const { links } = list;
  const more = list.cursor !== null && mayDelete();
  const loadedSelected =
    selected.kind === "ids" && links.length > 0 && selected.ids.size >= links.length;
  const matching = useMatching(conditions, more && loadedSelected);
  const count = selectedCount(selected);
  const allSelected =
    links.length > 0 && (selected.kind === "filter" || links.every(({ id }) => selected.ids.has(id)));

  const seen = useRef(conditions.toString());
  useEffect(() => {
    // Another filter: what was selected is out of sight, and must not be deleted unseen.
    if (seen.current !== conditions.toString()) clearSelection();
    seen.current = conditions.toString();
  }, [conditions.toString()]);

  /** @param {number} index @param {boolean} range */
  function onToggle(index, range) {
    toggle(links.map(({ id }) => id), index, range ? (anchor.current ?? index) : null);
    if (!range) anchor.current = index;
  }

  function onToggleAll() {
    if (allSelected) clearSelection();
    else selectIds(links.map(({ id }) => id));
  }

  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function onKey(event) {
      if (dialogIsOpen()) return;
      if (event.key === "Escape") {
        if (isTyping(event)) focusTable();
        else clearSelection();
      } else if (isTyping(event)) {
        return;
      } else if (event.key === "/") {
        event.preventDefault();
        document.getElementById("filter-title")?.focus();
      } else if (event.key === "Delete" && mayDelete() && selectedCount(selection.get()) > 0) {
        event.preventDefault();
        setDeleting(true);
      }
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  return html`<section class="view">
    <h1 class="hidden">${t("nav.links")}</h1>
    <${FilterBar} conditions=${conditions} />
    <div class=${classes("toolbar", count > 0 && "on")} role="group" aria-label=${t("links.actions")}>
      <p aria-live="polite">${summary(list, selected, count)}</p>
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
        ${mayDelete()
          ? html`<button onClick=${() => setDeleting(true)}>
              <${Icon} name="trash" />${t("links.delete")}
            </button>`
          : html`<span>${t("links.readOnly")}</span>`}
      `}
      ${count === 0 &&
      may("linksWrite") &&
      html`<span class="grow"></span>
        <a class="button" href=${href("new")}><${Icon} name="add" />${t("new.open")}</a>`}
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
          cells=${(/** @type {number} */ index) => cells(links[index])}
          isSelected=${(/** @type {number} */ index) =>
            selected.kind === "filter" || selected.ids.has(links[index].id)}
          onToggle=${onToggle}
          onToggleAll=${onToggleAll}
          onOpen=${(/** @type {number} */ index) => go(href("links", links[index].id))}
          allSelected=${allSelected}
          toggleAllLabel=${t("links.selectLoaded")}
          onNearEnd=${list.loadMore}
        />`}
    ${deleting &&
    html`<${DeleteSheet} selected=${selected} known=${links} onClose=${() => setDeleting(false)} />`}
  </section>`;
}

const focusTable = () =>
  /** @type {HTMLElement | null} */ (document.querySelector(".links-grid"))?.focus();

const mayDelete = () => may("linksWrite") || may("linksErase");

const columns = () => [
  { name: "link", label: t("links.link") },
  { name: "target", label: t("links.target") },
  { name: "tags", label: t("links.tags") },
  { name: "clicks", label: t("links.clicks") },
  { name: "created", label: t("links.created") },
];

/** @param {Link} link */
function cells(link) {
  const expired = link.expiresAt !== null && Date.parse(link.expiresAt) <= Date.now();
  return [
    html`<div class="two-lines">
      <a class="title" tabindex="-1" href=${href("links", link.id)}>
        <bdi>${link.title ?? link.shortCode}</bdi>
      </a>
      <span class="sub">
        <bdi dir="ltr">${withoutScheme(link.shortUrl)}</bdi>
        <${CopyButton} text=${link.shortUrl} />
        ${!link.isActive && html`<span class="badge">${t("links.inactive")}</span>`}
        ${expired && html`<span class="badge">${t("links.expired")}</span>`}
      </span>
    </div>`,
    html`<bdi dir="ltr" class="url" title=${link.originalUrl}>${withoutScheme(link.originalUrl)}</bdi>`,
    link.tags.map((tag) => html`<span key=${tag} class="tag" dir="auto">${tag}</span>`),
    formatNumber(link.clickCount),
    html`<time datetime=${link.createdAt}>${formatDay(link.createdAt)}</time>`,
  ];
}

/** @param {string} url */
export const withoutScheme = (url) => url.replace(/^https?:\/\//, "");

/** @param {{ text: string }} props */
export function CopyButton({ text }) {
  return html`<button
    class="plain copy"
    tabindex="-1"
    aria-label=${t("copy.what", { text })}
    onClick=${async () => {
      try {
        await navigator.clipboard.writeText(text);
        showToast(t("copy.done"));
      } catch {
        showToast(t("copy.refused"), { kind: "error" });
      }
    }}
  >
    <${Icon} name="copy" />
  </button>`;
}

/**
 * @param {{ links: Link[], cursor: string | null, loading: boolean }} list
 * @param {import("./selection.js").Selection} selected
 * @param {number} count
 */
function summary(list, selected, count) {
  if (selected.kind === "filter") return t("links.allSelected", { n: count });
  if (count > 0) return t("links.selected", { n: count });
  if (list.loading && list.links.length === 0) return t("loading");
  return t(list.cursor ? "links.loaded" : "links.found", { n: list.links.length });
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
    ? html`<${EmptyState} icon="search" title=${t("links.none")} text=${t("links.noneHelp")} />`
    : html`<${EmptyState} icon="links" title=${t("links.empty")} text=${t("links.emptyHelp")}>
        ${may("linksWrite") &&
        html`<a class="button primary" href=${href("new")}>
          <${Icon} name="add" />${t("new.open")}
        </a>`}
      <//>`;
}
