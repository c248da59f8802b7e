/** Who is signed in. API keys and access tokens are kept in memory only. */

import { ApiError, absoluteBase, configure } from "./api.js";
import { t } from "./i18n.js";
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
const waitingForSignIn = [];

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
 * Checks an API key or access token and signs in with it. Raises `ApiError`: 401 when it is not
 * valid, 403 when it is of another workspace than the session that has ended.
 * @param {string} secret
 */
export async function signInWith(secret) {
  const response = await fetch(`${absoluteBase()}/me`, {
    headers: { Authorization: `Bearer ${secret}` },
    credentials: "omit",
    cache: "no-store",
  }).catch(() => null);
  if (!response) throw new ApiError(0);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, body);
  const before = session.get();
  // Waiting requests and the selection belong to the workspace before.
  if (before && before.me.workspaceId !== body.workspaceId) {
    throw new ApiError(403, { message: t("signIn.other") });
  }
  session.set({ secret, me: body });
  expired.set(false);
  for (const proceed of waitingForSignIn.splice(0)) proceed();
}

/** Whether the one who is signed in has a scope. @param {string} scope */
export const may = (scope) => session.get()?.me.scopes.includes(scope) ?? false;

/** Also ends what still runs: loading the page again leaves nothing for the next one to sign in. */
export function signOut() {
  session.set(null);
  endSession();
}

