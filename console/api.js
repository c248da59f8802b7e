/** Requests to the API: retries that are safe, errors as sentences, waiting that is visible. */

import { language, t } from "./i18n.js";
import { createStore } from "./store.js";

/**
 * @typedef {object} RequestOptions
 * @property {Record<string, string>} [query]
 * @property {unknown} [body]
 * @property {boolean} [once] send an Idempotency-Key: the same body again, after a lost answer, is
 *   done once
 * @property {AbortSignal} [signal]
 * @property {"json" | "blob"} [as]
 */

/** @typedef {{ kind: "limited" | "unavailable" | "offline", until: number }} Waiting */

/** Why requests wait at the moment, and until when (Unix milliseconds). */
export const waiting = createStore(/** @type {Waiting | null} */ (null));

/** @type {Map<Waiting, () => void>} */
const pauses = new Map();

/** How often a write is repeated while the service cannot be reached. Reads are always repeated. */
const MAX_REPEATS = 5;

/** The longest pause before the next attempt, in milliseconds. The first is one second. */
const LONGEST_PAUSE = 30_000;

/** The Idempotency-Keys of writes without an answer, by method, path and body. */
const keys = new Map();

let base = "api";
/** @type {() => Promise<string>} */
let credential = async () => "";
/** @type {(refused: boolean) => Promise<void>} */
let signInAgain = async () => {};

/**
 * @param {string} address of the API, relative to the page
 * @param {() => Promise<string>} currentCredential
 * @param {(refused: boolean) => Promise<void>} askAgain resolves when the user has signed in again;
 *   `refused`: a renewed credential was refused too
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
 * After 429 and while the service cannot be reached it waits and sends the request again, if that
 * is safe: a read, or a write that is sent `once`. `waiting` says so. After 401 it waits until the
 * user has signed in again.
 * @param {string} method
 * @param {string} path such as `/links`
 * @param {RequestOptions} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, options = {}) {
  const { body, once, signal } = options;
  // A dry run writes nothing.
  const isRead = method === "GET" || Boolean(/** @type {any} */ (body)?.dryRun);
  const write = once ? `${method} ${path} ${JSON.stringify(body)}` : "";
  if (once && !keys.has(write)) keys.set(write, `console-${crypto.randomUUID()}`);
  let refusals = 0;
  for (let attempt = 0; ; attempt++) {
    let response;
    let answer;
    try {
      response = await send(method, path, options, keys.get(write));
      answer = await contentOf(response, options.as);
    } catch {
      signal?.throwIfAborted();
    }
    const status = answer === undefined || !response ? 0 : response.status;
    const unreachable = status === 0 || status > 501;
    if (unreachable && (isRead || (once && attempt < MAX_REPEATS))) {
      const pauseFor = Math.min(LONGEST_PAUSE, 1000 * 2 ** attempt) * (0.75 + Math.random() / 4);
      const asked = status ? secondsOf(response, answer) : 0;
      await pause(status ? "unavailable" : "offline", Math.max(pauseFor, asked * 1000), signal);
    } else if (status === 401) {
      await signInAgain(refusals++ > 0);
    } else if (status === 429 && (isRead || once) && answer.limit === undefined) {
      await pause("limited", (secondsOf(response, answer) || 5) * 1000, signal);
    } else {
      // Without an answer, or while the first attempt still runs, the key is needed again.
      if (!unreachable && status !== 409) keys.delete(write);
      if (response?.ok && status) return answer;
      throw new ApiError(status, answer);
    }
  }
}

/**
 * The body of an answer. Raises an error when the connection is lost in the middle of it.
 * @param {Response} response
 * @param {RequestOptions["as"]} as
 */
async function contentOf(response, as) {
  if (response.ok) return as === "blob" ? response.blob() : response.json();
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} options
 * @param {string} [key]
 */
async function send(method, path, options, key) {
  const query = new URLSearchParams(options.query).toString();
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${await credential()}` };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
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
 * The seconds that the service asks to wait; 0 when it does not say.
 * @param {Response | undefined} response
 * @param {Record<string, any>} body
 */
function secondsOf(response, body) {
  const given = Number(body.retryAfter ?? response?.headers.get("Retry-After"));
  return given > 0 ? given : 0;
}

/**
 * @param {Waiting["kind"]} kind
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
async function pause(kind, milliseconds, signal) {
  const own = { kind, until: Date.now() + milliseconds };
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      pauses.set(own, () => {
        clearTimeout(timer);
        resolve();
      });
      waiting.set(own);
      signal?.addEventListener("abort", () => pauses.get(own)?.());
    })
  );
  // Other requests may keep waiting.
  pauses.delete(own);
  waiting.set([...pauses.keys()].at(-1) ?? null);
  signal?.throwIfAborted();
}

/** Ends the waits for the service, but not those that its limits ask for. */
export function retryNow() {
  for (const [{ kind }, end] of [...pauses]) if (kind !== "limited") end();
}

addEventListener("online", retryNow);
