/** Starts the console: language, theme, session, and the view that the address names. */

import { render } from "preact";
import { preferredLanguage, setLanguage } from "./i18n.js";
import { html } from "./html.js";
import { resume, signInAt } from "./oauth.js";
import { begin, signInWith } from "./session.js";
import { App } from "./shell.js";
import { applyTheme } from "./theme.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const place = /** @type {import("./sign_in.js").Place} */ (/** @type {unknown} */ (root.dataset));

applyTheme();
begin(place.api);
signInAt(place.signIn, place.client);
await setLanguage(preferredLanguage());
const token = place.signIn && (await resume());
const problem = token && (await signInWith(token).catch((error) => error));
render(html`<${App} place=${place} problem=${problem} />`, root);
