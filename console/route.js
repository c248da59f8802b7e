/** The address after `#`: a path, and the filter as its query. */

import { createStore } from "./store.js";

/** @typedef {{ path: string[], query: URLSearchParams }} Route */

/** @returns {Route} */
function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = createStore(current());

addEventListener("hashchange", () => route.set(current()));

/**
 * The address of a view: `href("deletions", id)`.
 * @param {...string} path
 */
export const href = (...path) => `#/${path.map(encodeURIComponent).join("/")}`;

/** @param {string} address */
export function go(address) {
  location.hash = address;
}

/**
 * Changes the query of the current address without a new entry in the history.
 * @param {URLSearchParams} query
 */
export function replaceQuery(query) {
  const [path] = location.hash.split("?");
  const text = query.toString();
  history.replaceState(null, "", `${path || "#/links"}${text ? `?${text}` : ""}`);
  route.set(current());
}
