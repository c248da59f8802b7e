/** Deletions that run in the background: polled until they are complete, also after a reload. */

import { useEffect } from "preact/hooks";
import { request } from "./api.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { href } from "./route.js";
import { linksChanged } from "./selection.js";
import { may } from "./session.js";
import { createStore, useStore } from "./store.js";
import { showToast } from "./toasts.js";

/**
 * @typedef {object} Deletion
 * @property {string} id
 * @property {"soft" | "erase"} mode
 * @property {string} state
 * @property {string | null} reason
 * @property {{ keyId: string, userId: string }} actor
 * @property {string | null} sourceIp
 * @property {string} createdAt
 * @property {string | null} completedAt
 * @property {Record<"requested" | "deleted" | "notFound" | "pending" | "restored" | "failed", number>} counts
 * @property {Record<string, any> | null} filter
 * @property {string | null} failure
 * @property {Record<string, any> | null} receipt
 * @property {{ url: string | null, expiresAt: string | null } | null} export
 * @property {string | null} undoUntil
 */

/** How often a running deletion is looked at, in milliseconds. */
export const POLL = 2000;

/** How many of the last deletions are looked at after a reload. */
const RECENT = 20;

const running = createStore(/** @type {Map<string, Deletion>} */ (new Map()));

/** @param {{ state: string }} deletion */
export const isRunning = ({ state }) => state !== "complete" && state !== "failed";

/** Whether links of it may be brought back now. @param {Deletion} deletion */
export const mayRestore = ({ mode, undoUntil }) =>
  mode === "soft" &&
  (may("linksRestore") || (undoUntil !== null && Date.parse(undoUntil) > Date.now()));

/** @param {Deletion} deletion */
export function watchDeletion(deletion) {
  if (isRunning(deletion)) running.set(new Map(running.get()).set(deletion.id, deletion));
}

async function findRunning() {
  const { deletions } = await request("GET", "/deletions", { query: { limit: String(RECENT) } });
  deletions.forEach(watchDeletion);
}

async function look() {
  for (const id of running.get().keys()) {
    const deletion = await request("GET", `/deletions/${id}`, { query: { limit: "1" } });
    const next = new Map(running.get());
    if (isRunning(deletion)) {
      next.set(id, deletion);
    } else {
      next.delete(id);
      linksChanged();
      const { deleted, requested } = deletion.counts;
      showToast(t(`toast.${deletion.state}`, { n: deleted || requested }), {
        kind: deletion.state === "failed" ? "error" : "info",
        link: { label: t("toast.view"), href: href("deletions", id) },
      });
    }
    running.set(next);
  }
}

/** Says how many deletions run; nothing when there are none. */
export function RunningDeletions() {
  const now = useStore(running);
  useEffect(() => {
    if (may("linksRead")) findRunning().catch(() => {});
  }, []);
  useEffect(() => {
    if (now.size === 0) return;
    const timer = setTimeout(() => look().catch(() => running.set(new Map(running.get()))), POLL);
    return () => clearTimeout(timer);
  }, [now]);
  if (now.size === 0) return null;
  return html`<a class="running" href=${href("deletions")}>
    <span class="spinner" aria-hidden="true"></span>${t("deletions.running", { n: now.size })}
  </a>`;
}
