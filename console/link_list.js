/** Lists of links, loaded page by page as the table needs them. */

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

/** Links in the first page, which is to appear soon. */
const FIRST_PAGE = 100;

/** @typedef {{ links: Link[], cursor: string | null, loading: boolean, error: Error | null }} Loaded */

/** @type {Loaded} */
const NOTHING = { links: [], cursor: null, loading: true, error: null };

/**
 * @param {string} path of the list
 * @param {URLSearchParams} conditions
 * @param {number} version the list is loaded again when it changes
 * @param {number} nextPages links in the pages after the first one
 */
export function useLinkList(path, conditions, version, nextPages) {
  const key = conditions.toString();
  const [state, setState] = useState(NOTHING);
  const run = useRef(/** @type {AbortController | null} */ (null));

  /**
   * @param {Link[]} before
   * @param {string | null} cursor
   */
  async function load(before, cursor) {
    const controller = new AbortController();
    run.current?.abort();
    run.current = controller;
    setState({ links: before, cursor, loading: true, error: null });
    try {
      let found = before;
      let next = cursor;
      // A page can be short, even empty, and still have a next one.
      do {
        const page = await request("GET", path, {
          query: {
            ...Object.fromEntries(new URLSearchParams(key)),
            limit: String(found.length ? nextPages : FIRST_PAGE),
            ...(next ? { cursor: next } : {}),
          },
          signal: controller.signal,
        });
        found = found.concat(page.links);
        next = page.nextCursor;
      } while (next && found.length === before.length);
      if (!controller.signal.aborted) {
        setState({ links: found, cursor: next, loading: false, error: null });
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      const problem = /** @type {Error} */ (error);
      setState({ links: before, cursor, loading: false, error: problem });
    }
  }

  useEffect(() => {
    load([], null);
    return () => run.current?.abort();
  }, [key, version]);

  return {
    ...state,
    loadMore() {
      if (state.cursor && !state.loading && !state.error) load(state.links, state.cursor);
    },
    retry() {
      load(state.links, state.cursor);
    },
  };
}
