/** Which links are selected: some by id, or all that match a filter. */

import { createStore } from "./store.js";

/**
 * @typedef {{ kind: "ids", ids: Set<string> }} SelectedIds
 * @typedef {{ kind: "filter", filter: Record<string, any>, count: number }} SelectedFilter
 * @typedef {SelectedIds | SelectedFilter} Selection
 */

/** @returns {SelectedIds} */
const nothing = () => ({ kind: "ids", ids: new Set() });

/** It outlives the view: an excursion to another one, or signing in again, loses nothing. */
export const selection = createStore(/** @type {Selection} */ (nothing()));

/** Counts changes of the links; lists that show them load again. */
export const linksVersion = createStore(0);

const channel = new BroadcastChannel("unlink-console");
channel.onmessage = () => linksVersion.set(linksVersion.get() + 1);

/** After links were changed here: lists load again, in other tabs too. */
export function linksChanged() {
  linksVersion.set(linksVersion.get() + 1);
  channel.postMessage("links");
}

export const clearSelection = () => selection.set(nothing());

/** @param {Selection} selected */
export const selectedCount = (selected) =>
  selected.kind === "ids" ? selected.ids.size : selected.count;

/**
 * Selects or deselects a link; with `from`, all between it and `index` as `from` is.
 * @param {string[]} ids in the order of the table
 * @param {number} index
 * @param {number | null} from
 */
export function toggle(ids, index, from = null) {
  const current = selection.get();
  // Clicking into "all that match" begins a selection by hand.
  const next = new Set(current.kind === "ids" ? current.ids : []);
  if (from === null) {
    if (!next.delete(ids[index])) next.add(ids[index]);
  } else {
    const [first, last] = from < index ? [from, index] : [index, from];
    for (const id of ids.slice(first, last + 1)) next.add(id);
  }
  selection.set({ kind: "ids", ids: next });
}

/** @param {Iterable<string>} ids */
export const selectIds = (ids) => selection.set({ kind: "ids", ids: new Set(ids) });

/**
 * @param {Record<string, any>} filter
 * @param {number} count
 */
export const selectFilter = (filter, count) => selection.set({ kind: "filter", filter, count });

/** Deselects links that are gone. @param {Iterable<string>} ids */
export function deselect(ids) {
  const current = selection.get();
  if (current.kind !== "ids") return;
  const next = new Set(current.ids);
  for (const id of ids) next.delete(id);
  selection.set({ kind: "ids", ids: next });
}
