/** Starts the console: language, theme, session, and the view that the address names. */

import { render } from "preact";
import { preferredLanguage, setLanguage } from "./i18n.js";
import { html } from "./html.js";
import { resume, useSignIn } from "./oauth.js";
import { begin, signInWith } from "./session.js";
import { App } from "./shell.js";
import { applyTheme } from "./theme.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const place = {
  api: root.dataset.api ?? "api",
  docs: root.dataset.docs ?? "",
  licences: root.dataset.licences ?? "",
  signIn: root.dataset.signIn ?? "",
};

applyTheme();
begin(place.api);
useSignIn(place.signIn, root.dataset.client ?? "");
await setLanguage(preferredLanguage());
const token = place.signIn && (await resume());
const problem = token && (await signInWith(token, place.api).catch((error) => error));
render(html`<${App} place=${place} problem=${problem} />`, root);
