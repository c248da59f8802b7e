/** Starts the console: language, theme, session, and the view that the address names. */

import { render } from "preact";
import { preferredLanguage, setLanguage } from "./i18n.js";
import { html } from "./html.js";
import { begin } from "./session.js";
import { App } from "./shell.js";
import { applyTheme } from "./theme.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const place = {
  api: root.dataset.api ?? "api",
  docs: root.dataset.docs ?? "",
  licences: root.dataset.licences ?? "",
};

applyTheme();
begin(place.api);
await setLanguage(preferredLanguage());
render(html`<${App} place=${place} />`, root);
