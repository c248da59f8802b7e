/** Signing in at Cognito's managed login: authorization code with PKCE (RFC 7636). */

import { selectFilter, selectIds, selection } from "./selection.js";

/** The refresh token is kept for this tab, so that a reload stays signed in. */
const REFRESH = "unlink.refresh";
const PENDING = "unlink.pending";

let signIn = "";
let clientId = "";

/** @param {string} url @param {string} client */
export function signInAt(url, client) {
  signIn = url;
  clientId = client;
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** This page's address, as the app client lists it. */
const callback = () => location.origin + location.pathname.replace(/\/$/, "");

/** Leaves for the sign-in page; what is selected is there again afterwards. */
export async function leaveToSignIn() {
  const verifier = random();
  const state = random();
  const selected = selection.get();
  const kept = selected.kind === "ids" ? [...selected.ids] : selected;
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, kept, hash: location.hash }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: callback(),
    scope: "openid",
    state,
    code_challenge_method: "S256",
    code_challenge: base64url(new Uint8Array(digest)),
  });
  location.assign(`${signIn}/oauth2/authorize?${query}`);
}

/** The access token after a return from the sign-in page or a reload; "" without a session. */
export async function resume() {
  const query = new URLSearchParams(location.search);
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "{}");
  const code = query.get("code");
  if (!code) return renew();
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", callback());
  location.hash = pending.hash ?? "";
  // A code that this tab did not ask for would sign in as someone else.
  if (query.get("state") !== pending.state) return "";
  if (Array.isArray(pending.kept)) selectIds(pending.kept);
  else if (pending.kept) selectFilter(pending.kept.filter, pending.kept.count);
  return tokens({
    grant_type: "authorization_code",
    code,
    redirect_uri: callback(),
    code_verifier: pending.verifier,
  });
}

/** A new access token; "" when the session is over. */
export async function renew() {
  const refresh_token = sessionStorage.getItem(REFRESH);
  return refresh_token ? tokens({ grant_type: "refresh_token", refresh_token }) : "";
}

/** @param {Record<string, string>} grant */
async function tokens(grant) {
  const response = await post("token", grant).catch(() => null);
  if (!response?.ok) {
    // Not for an outage: the session may still be good.
    if (response && response.status < 500) sessionStorage.removeItem(REFRESH);
    return "";
  }
  const { access_token, refresh_token } = await response.json();
  // With rotation each refresh token is good for one use.
  if (refresh_token) sessionStorage.setItem(REFRESH, refresh_token);
  return access_token;
}

/** Loads the page again; before that, revokes the session and ends it at the sign-in page too. */
export async function endSession() {
  const token = sessionStorage.getItem(REFRESH);
  if (!token) return location.reload();
  sessionStorage.removeItem(REFRESH);
  await post("revoke", { token }).catch(() => null);
  const query = new URLSearchParams({ client_id: clientId, logout_uri: callback() });
  location.assign(`${signIn}/logout?${query}`);
}

/** @param {string} endpoint @param {Record<string, string>} fields */
const post = (endpoint, fields) =>
  fetch(`${signIn}/oauth2/${endpoint}`, {
    method: "POST",
    body: new URLSearchParams({ client_id: clientId, ...fields }),
    credentials: "omit",
  });
