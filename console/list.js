/** Lists of the API, loaded page by page as a table needs them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "./api.js";
import { POLL } from "./watch.js";

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
 * @typedef {object} Loaded
 * @property {T[]} items
 * @property {any} [page] the last page, with what it says beside its items
 * @property {string | null} cursor
 * @property {boolean} loading
 * @property {Error | null} error
 */

/**
 * @template T
 * @param {string} name such as `links`
 * @param {URLSearchParams} conditions
 * @param {unknown} version the list is loaded again when it changes; the shown links stay until then
 * @param {[first: number, next: number]} sizes of the first page, which is to appear soon, and the
 *   next ones
 * @param {(list: Loaded<T>) => boolean} [changing] whether it is to be loaded again soon
 */
export function useList(name, conditions, version, [first, next], changing) {
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
    setState((last) => ({ ...last, items: shown, cursor, loading: true, error: null }));
    try {
      let items = before;
      let following = cursor;
      let page;
      // A page can be short, even empty, and still have a next one.
      do {
        page = await request("GET", `/${name}`, {
          query: {
            ...Object.fromEntries(new URLSearchParams(key)),
            limit: String(items.length ? next : first),
            ...(following && { cursor: following }),
          },
          signal,
        });
        items = items.concat(page[name] ?? page.links ?? page.results);
        following = page.nextCursor;
      } while (following && items.length === before.length);
      if (!signal.aborted) setState({ items, page, cursor: following, loading: false, error: null });
    } catch (problem) {
      const error = /** @type {Error} */ (problem);
      if (!signal.aborted) setState((last) => ({ ...last, loading: false, error }));
    }
  }

  useEffect(() => {
    load([], null, loadedKey.current === key ? state.items : []);
    loadedKey.current = key;
    return () => run.current?.abort();
  }, [key, version]);

  useEffect(() => {
    if (state.loading || !changing?.(state)) return;
    const timer = setTimeout(() => load([], null, state.items), POLL);
    return () => clearTimeout(timer);
  }, [state]);

  return {
    ...state,
    loadMore() {
      if (state.cursor && !state.loading && !state.error) load(state.items, state.cursor);
    },
    // Without a cursor it is the first page that failed.
    retry: () => load(state.cursor ? state.items : [], state.cursor, state.items),
  };
}
