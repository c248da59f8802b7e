/** Who is signed in. API keys and access tokens are kept in memory only. */

import { ApiError, configure } from "./api.js";
import { endSession, renew } from "./oauth.js";
import { createStore } from "./store.js";

/**
 * @typedef {object} Me what `GET /api/me` answers
 * @property {string} workspaceId
 * @property {{ keyId: string, userId: string }} actor
 * @property {"key" | "session"} credential
 * @property {string | null} role
 * @property {string[]} scopes
 * @property {Record<string, any>} plan
 * @property {Record<string, any>} policies
 * @property {{ limit: number, remaining: number, reset: number } | null} window
 */
/** @typedef {{ secret: string, me: Me }} Session */

export const session = createStore(/** @type {Session | null} */ (null));

/** True while a request waits for the user to sign in again. */
export const expired = createStore(false);

/** @type {Array<() => void>} */
let waitingForSignIn = [];

/** @param {string} apiAddress */
export function begin(apiAddress) {
  configure(
    apiAddress,
    async () => session.get()?.secret ?? "",
    async (refused) => {
      const token = refused ? "" : await renew();
      const now = session.get();
      if (token && now) return session.set({ ...now, secret: token });
      expired.set(true);
      return new Promise((resolve) => waitingForSignIn.push(() => resolve(undefined)));
    },
  );
}

/**
 * Checks an API key or access token and signs in with it. Raises `ApiError` 401 when it is not
 * valid.
 * @param {string} secret
 * @param {string} apiAddress
 */
export async function signInWith(secret, apiAddress) {
  const response = await fetch(`${apiAddress}/me`, {
    headers: { Authorization: `Bearer ${secret}` },
    credentials: "omit",
    cache: "no-store",
  }).catch(() => null);
  if (!response) throw new ApiError(0);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, body);
  session.set({ secret, me: body });
  expired.set(false);
  for (const proceed of waitingForSignIn.splice(0)) proceed();
}

/** Whether the one who is signed in has a scope. @param {string} scope */
export const may = (scope) => session.get()?.me.scopes.includes(scope) ?? false;

export function signOut() {
  endSession();
  session.set(null);
  expired.set(false);
  waitingForSignIn = [];
}

