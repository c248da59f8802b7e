/** Light or dark: the system's choice until the user makes one. */

import { createStore, preference, setPreference } from "./store.js";

/** @typedef {"system" | "light" | "dark"} Theme */

export const theme = createStore(/** @type {Theme} */ (preference("theme") ?? "system"));

export function applyTheme() {
  document.documentElement.dataset.theme = theme.get();
}

/** @param {"light" | "dark"} wanted */
export function setTheme(wanted) {
  setPreference("theme", wanted);
  theme.set(wanted);
  applyTheme();
}
