/** Requests to the API: retries that are safe, errors as sentences, waiting that is visible. */

import { language, t } from "./i18n.js";
import { createStore } from "./store.js";

/**
 * @typedef {object} RequestOptions
 * @property {Record<string, string>} [query]
 * @property {unknown} [body]
 * @property {string} [idempotencyKey]
 * @property {AbortSignal} [signal]
 * @property {"json" | "blob"} [as]
 */

/** @typedef {{ kind: "limited" | "unavailable" | "offline", until: number }} Waiting */

/** Why requests wait at the moment, and until when (Unix milliseconds). */
export const waiting = createStore(/** @type {Waiting | null} */ (null));

/** @type {Set<Waiting>} */
const pauses = new Set();

/** How often a request is repeated while the service is unavailable. */
const MAX_REPEATS = 5;

/** How long to wait for a connection before another attempt, in milliseconds. */
const OFFLINE_PAUSE = 3000;

let base = "api";
/** @type {() => Promise<string>} */
let credential = async () => "";
/** @type {() => Promise<void>} */
let signInAgain = async () => {};

/**
 * @param {string} address of the API, relative to the page
 * @param {() => Promise<string>} currentCredential
 * @param {() => Promise<void>} askAgain resolves when the user has signed in again
 */
export function configure(address, currentCredential, askAgain) {
  base = address;
  credential = currentCredential;
  signInAgain = askAgain;
}

/** The API's address as a program would write it, without a trailing slash. */
export const absoluteBase = () => new URL(base, location.href).href;

/** What the API or the network answered instead of a result. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 when there was no answer
   * @param {Record<string, any>} body
   */
  constructor(status, body = {}) {
    super(sentence(status, body));
    this.status = status;
    this.body = body;
  }
}

/**
 * @param {number} status
 * @param {Record<string, any>} body
 */
function sentence(status, body) {
  if (status === 0) return t("error.offline");
  if (status === 403 && body.missingScopes) {
    return t("error.scopes", { scopes: body.missingScopes.join(", ") });
  }
  const pair = typeof body.error === "object" && body.error ? body.error : null;
  const text = pair?.[language.get()] ?? body.message ?? pair?.en ?? t("error.status", { status });
  const details = Array.isArray(body.details) ? body.details.slice(0, 3) : [];
  return [text, ...details].join(". ");
}

/**
 * Sends a request and gives the body of its answer.
 *
 * A request that is safe to repeat (a GET, or one with an Idempotency-Key) waits and is repeated
 * after 429, 503 and while there is no connection; `waiting` says so. After 401 it waits until the
 * user has signed in again.
 * @param {string} method
 * @param {string} path such as `/links`
 * @param {RequestOptions} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, options = {}) {
  return (await exchange(method, path, options)).body;
}

/**
 * As `request`, with the status and headers of the answer.
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<{ status: number, headers: Headers, body: any }>}
 */
export async function exchange(method, path, options = {}) {
  const repeatable = method === "GET" || options.idempotencyKey !== undefined;
  for (let attempt = 1; ; attempt++) {
    let response;
    try {
      response = await send(method, path, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!repeatable || attempt > MAX_REPEATS) throw new ApiError(0);
      await pause("offline", OFFLINE_PAUSE, options.signal);
      continue;
    }
    if (response.ok) {
      const body = options.as === "blob" ? await response.blob() : await response.json();
      return { status: response.status, headers: response.headers, body };
    }
    const body = await response.json().catch(() => ({}));
    if (response.status === 401) {
      await signInAgain();
    } else if (response.status === 429 && repeatable && body.limit === undefined) {
      await pause("limited", seconds(response, body) * 1000, options.signal);
    } else if (response.status === 503 && repeatable && attempt <= MAX_REPEATS) {
      await pause("unavailable", seconds(response, body) * 1000, options.signal);
    } else {
      throw new ApiError(response.status, body);
    }
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} options
 */
async function send(method, path, options) {
  const query = new URLSearchParams(options.query).toString();
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${await credential()}` };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  return fetch(`${base}${path}${query ? `?${query}` : ""}`, {
    method,
    headers,
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal,
    credentials: "omit",
    cache: "no-store",
  });
}

/**
 * @param {Response} response
 * @param {Record<string, any>} body
 */
function seconds(response, body) {
  const given = Number(body.retryAfter ?? response.headers.get("Retry-After"));
  return Number.isFinite(given) && given > 0 ? given : 5;
}

/**
 * @param {Waiting["kind"]} kind
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
async function pause(kind, milliseconds, signal) {
  const own = { kind, until: Date.now() + milliseconds };
  pauses.add(own);
  waiting.set(own);
  try {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(done, milliseconds);
      function done() {
        clearTimeout(timer);
        removeEventListener("online", done);
        signal?.removeEventListener("abort", stop);
        resolve(undefined);
      }
      function stop() {
        done();
        reject(signal?.reason);
      }
      // A connection that comes back ends the wait for one.
      if (kind === "offline") addEventListener("online", done);
      signal?.addEventListener("abort", stop);
    });
  } finally {
    // Other requests may go on waiting.
    pauses.delete(own);
    waiting.set([...pauses].at(-1) ?? null);
  }
}

/** A key under which a request can be repeated without being done twice. */
export const newIdempotencyKey = () => `console-${crypto.randomUUID()}`;
