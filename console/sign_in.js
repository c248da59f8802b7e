/** Signing in. */

import { useState } from "preact/hooks";
import { ApiError } from "./api.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { leaveToSignIn } from "./oauth.js";
import { signInWith, signOut } from "./session.js";

/**
 * @typedef {object} Place the deployment: addresses, and the client of its sign-in page
 * @property {string} api
 * @property {string} docs
 * @property {string} licences
 * @property {string} signIn "" without a sign-in page
 * @property {string} client
 */

/** @param {{ place: Place }} props */
export function SignInForm({ place }) {
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    // Copied text may bring spaces and direction marks along, which no key has.
    const key = secret.replace(/[^!-~]/g, "");
    if (!key) return setError(t("signIn.needed"));
    setBusy(true);
    setError("");
    try {
      await signInWith(key);
    } catch (problem) {
      const refused = problem instanceof ApiError && problem.status === 401;
      setError(refused ? t("signIn.refused") : String(/** @type {Error} */ (problem).message));
      setBusy(false);
    }
  }

  return html`<form class="stack" onSubmit=${submit} novalidate>
    ${place.signIn &&
    html`<button class="primary" type="button" onClick=${leaveToSignIn}>
      ${t("signIn.submit")}
    </button>`}
    <label class="field">
      <span>${t("signIn.key")}</span>
      <input
        type="password"
        dir="ltr"
        autocomplete="off"
        spellcheck=${false}
        value=${secret}
        aria-invalid=${Boolean(error)}
        aria-describedby="sign-in-help"
        onInput=${(/** @type {any} */ event) => setSecret(event.target.value)}
      />
    </label>
    <p id="sign-in-help" class=${error ? "error-text" : "muted"} role=${error ? "alert" : null}>
      ${error || t("signIn.help")}
    </p>
    <button type="submit" disabled=${busy}>${t("signIn.withKey")}</button>
  </form>`;
}

/** @param {{ place: Place, problem?: ApiError, children?: any }} props */
export function SignInPage({ place, problem, children }) {
  return html`<main class="sign-in">
    <div class="card">
      <h1><span class="mark" aria-hidden="true"></span>Unlink</h1>
      <p>${t("signIn.intro")}</p>
      ${problem &&
      html`<div class="notice error" role="alert">
        <span class="grow">
          ${
            // The token is Cognito's own, so a 401 is of a user without a workspace.
            problem.status === 401 ? t("signIn.noWorkspace") : problem.message
          }
        </span>
        <button onClick=${signOut}>${t("signOut")}</button>
      </div>`}
      <${SignInForm} place=${place} />
      <p class="muted"><a href=${place.docs}>${t("nav.docs")}</a></p>
    </div>
    ${children}
  </main>`;
}
