/** Which links are selected: some by id, or all that match a filter. */

import { useRef } from "preact/hooks";
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
 * How a table's rows are selected: one by one, from the last one on, or all.
 * @param {Array<{ id: string }>} items in the order of the table
 * @param {Set<string>} selected
 * @param {(ids: Set<string>) => void} select
 */
export function useRowSelection(items, selected, select) {
  const ids = items.map(({ id }) => id);
  const anchor = useRef(/** @type {number | null} */ (null));
  const allSelected = ids.length > 0 && ids.every((id) => selected.has(id));
  return {
    allSelected,
    isSelected: (/** @type {number} */ index) => selected.has(ids[index]),
    onToggle(/** @type {number} */ index, /** @type {boolean} */ range) {
      const next = new Set(selected);
      if (range) {
        const from = anchor.current ?? index;
        for (const id of ids.slice(Math.min(from, index), Math.max(from, index) + 1)) next.add(id);
      } else {
        if (!next.delete(ids[index])) next.add(ids[index]);
        anchor.current = index;
      }
      select(next);
    },
    onToggleAll: () => select(new Set(allSelected ? [] : ids)),
  };
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
