/** Lists of the API, loaded page by page as a table needs them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "./api.js";

/**
 * @typedef {object} Link
 * @property {string} id
 * @property {string} shortCode
 * @property {string} shortUrl
 * @property {string} originalUrl
 * @property {string | null} title
 * @property {string | null} description
 * @property {string[]} tags
 * @property {boolean} isActive
 * @property {number} clickCount
 * @property {string | null} expiresAt
 * @property {string} createdAt
 * @property {string} updatedAt
 */

/**
 * @template T
 * @typedef {{ items: T[], cursor: string | null, loading: boolean, error: Error | null }} Loaded
 */

/**
 * @template T
 * @param {"links" | "trash" | "deletions"} name
 * @param {URLSearchParams} conditions
 * @param {unknown} version the list is loaded again when it changes; the shown links stay until then
 * @param {[first: number, next: number]} sizes of the first page, which is to appear soon, and the
 *   next ones
 */
export function useList(name, conditions, version, [first, next]) {
  const key = conditions.toString();
  const [state, setState] = useState(
    /** @type {Loaded<T>} */ ({ items: [], cursor: null, loading: true, error: null }),
  );
  const run = useRef(/** @type {AbortController | null} */ (null));
  const loadedKey = useRef(key);

  /**
   * @param {T[]} before
   * @param {string | null} cursor
   * @param {T[]} [shown] until there is an answer
   */
  async function load(before, cursor, shown = before) {
    const controller = new AbortController();
    const { signal } = controller;
    run.current?.abort();
    run.current = controller;
    setState({ items: shown, cursor, loading: true, error: null });
    try {
      let items = before;
      let following = cursor;
      // A page can be short, even empty, and still have a next one.
      do {
        const page = await request("GET", `/${name}`, {
          query: {
            ...Object.fromEntries(new URLSearchParams(key)),
            limit: String(items.length ? next : first),
            ...(following && { cursor: following }),
          },
          signal,
        });
        items = items.concat(page[name] ?? page.links);
        following = page.nextCursor;
      } while (following && items.length === before.length);
      if (!signal.aborted) setState({ items, cursor: following, loading: false, error: null });
    } catch (error) {
      if (signal.aborted) return;
      setState({ items: before, cursor, loading: false, error: /** @type {Error} */ (error) });
    }
  }

  useEffect(() => {
    load([], null, loadedKey.current === key ? state.items : []);
    loadedKey.current = key;
    return () => run.current?.abort();
  }, [key, version]);

  return {
    ...state,
    loadMore() {
      if (state.cursor && !state.loading && !state.error) load(state.items, state.cursor);
    },
    retry: () => load(state.items, state.cursor),
  };
}
