/** The frame around every view: navigation, language, theme, help, messages. */

import { useEffect, useState } from "preact/hooks";
import { Guard } from "./access.js";
import { ApiError } from "./api.js";
import { Dialog } from "./dialog.js";
import { DeletionPage } from "./deletion.js";
import { DeletionsView } from "./deletions.js";
import { classes, html } from "./html.js";
import { LANGUAGES, language, setLanguage, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { dialogIsOpen, isTyping, latinKey } from "./keyboard.js";
import { KeysView } from "./keys.js";
import { LinkPage } from "./link.js";
import { LinksView, NewButton } from "./links.js";
import { Messages } from "./messages.js";
import { NewLinks } from "./new_links.js";
import { ReceiptPage } from "./receipt.js";
import { href, route } from "./route.js";
import { expired, may, session, signOut } from "./session.js";
import { TrashView } from "./trash.js";
import { UsageView } from "./usage.js";
import { SignInForm, SignInPage } from "./sign_in.js";
import { useStore } from "./store.js";
import { setTheme, theme } from "./theme.js";
import { runLastAction, showError } from "./toasts.js";
import { RunningDeletions } from "./watch.js";

/** @type {Array<{ name: string, icon: string }>} */
const NAVIGATION = [
  { name: "links", icon: "links" },
  { name: "trash", icon: "trash" },
  { name: "deletions", icon: "deletions" },
  { name: "keys", icon: "keys" },
  { name: "usage", icon: "usage" },
];

const SHORTCUTS = [
  ["/", "help.filter"],
  ["↑ ↓", "help.move"],
  ["Space / x", "help.select"],
  ["Shift + ↑ ↓", "help.range"],
  ["Ctrl / ⌘ + A", "help.all"],
  ["Enter", "help.open"],
  ["Delete", "help.delete"],
  ["Esc", "help.clear"],
  ["Ctrl / ⌘ + Z", "help.undo"],
  ["?", "help.help"],
];

/**
 * @param {{ place: import("./sign_in.js").Place, problem?: import("./api.js").ApiError }} props
 *   `problem`: why the session that was there cannot be used
 */
export function App({ place, problem }) {
  useStore(language);
  const who = useStore(session);
  if (!who) {
    return html`<${SignInPage} place=${place} problem=${problem}><${Settings} /><${Messages} level=${0} /><//>`;
  }
  return html`<${Frame} place=${place} who=${who} />`;
}

/** @param {{ place: import("./sign_in.js").Place, who: import("./session.js").Session }} props */
function Frame({ place, who }) {
  const { path, query } = useStore(route);
  const sessionEnded = useStore(expired);
  const [help, setHelp] = useState(false);
  const view = path[0] || "links";

  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function onKey(event) {
      if (isTyping(event) || dialogIsOpen()) return;
      const key = latinKey(event);
      if (key === "?") {
        event.preventDefault();
        setHelp(true);
      } else if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
        if (runLastAction()) event.preventDefault();
      }
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  useEffect(() => {
    document.title = `${t(`nav.${titleOf(view)}`)} – Unlink`;
  }, [view, language.get()]);

  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${skip}>${t("nav.skip")}</a>
    <header class="bar">
      <a class="brand" href=${href("links")}><span class="mark" aria-hidden="true"></span>Unlink</a>
      <nav aria-label=${t("nav.label")}>
        ${NAVIGATION.map(
          ({ name, icon }) => html`<a
            key=${name}
            href=${href(name)}
            class=${classes("nav", titleOf(view) === name && "current")}
            aria-current=${titleOf(view) === name ? "page" : null}
          >
            <${Icon} name=${icon} /><span>${t(`nav.${name}`)}</span>
          </a>`,
        )}
      </nav>
      <div class="bar-end">
        <${RunningDeletions} />
        <button class="plain" aria-label=${t("help.title")} onClick=${() => setHelp(true)}>
          <${Icon} name="help" />
        </button>
        <${Settings} />
        <span class="muted who" title=${`${t("usage.user")} ${who.me.actor.userId}`}>
          <bdi dir="ltr">${who.me.workspaceId}</bdi>
        </span>
        <button class="plain" aria-label=${t("signOut")} onClick=${signOut}>
          <${Icon} name="out" />
        </button>
      </div>
    </header>
    <${Messages} level=${0} />
    <main id="main" tabindex="-1"><${View} path=${path} query=${query} /></main>
    ${help && html`<${Help} place=${place} onClose=${() => setHelp(false)} />`}
    ${sessionEnded &&
    html`<${Dialog} kind="box" title=${t("signIn.again")}>
      <p>${t("signIn.kept")}</p>
      <${SignInForm} place=${place} />
    <//>`}
  </div>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** The entry of the navigation under which a view stands. @param {string} view */
const titleOf = (view) => (NAVIGATION.some(({ name }) => name === view) ? view : "links");

/** The scope that a view needs. @type {Record<string, string>} */
const VIEW_SCOPES = {
  links: "linksRead",
  trash: "linksRead",
  deletions: "linksRead",
  new: "linksWrite",
  keys: "admin",
  usage: "",
};

/** @param {import("./route.js").Route} props */
function View({ path, query }) {
  const [view, id, part] = path;
  const scope = Object.hasOwn(VIEW_SCOPES, view) ? VIEW_SCOPES[view] : VIEW_SCOPES.links;
  if (scope && !may(scope)) {
    const title = view === "new" ? "new.title" : `nav.${titleOf(view)}`;
    return html`<section class="view">
      <h1>${t(title)}</h1>
      <${Guard} label=${title} scopes=${[scope]} />
      ${title === "nav.links" && may("linksWrite") && html`<p><${NewButton} /></p>`}
    </section>`;
  }
  if (view === "deletions" && id && part === "receipt") {
    return html`<${ReceiptPage} key=${id} id=${id} />`;
  }
  if (view === "deletions" && id) return html`<${DeletionPage} key=${id} id=${id} />`;
  if (view === "deletions") return html`<${DeletionsView} query=${query} />`;
  if (view === "trash") return html`<${TrashView} query=${query} />`;
  if (view === "keys") return html`<${KeysView} />`;
  if (view === "usage") return html`<${UsageView} />`;
  if (view === "new") return html`<${NewLinks} />`;
  if (view === "links" && id) return html`<${LinkPage} key=${id} id=${id} />`;
  return html`<${LinksView} query=${query} />`;
}

/** Language and theme. */
function Settings() {
  const current = useStore(language);
  const shade = useStore(theme);
  const next = current === "en" ? "ar" : "en";
  const dark = shade === "dark" || (shade === "system" && systemIsDark());
  return html`<div class="settings">
    <button
      class="plain"
      lang=${next}
      onClick=${() => setLanguage(next, true).catch(() => showError(new ApiError(0)))}
    >
      ${LANGUAGES[next].name}
    </button>
    <button
      class="plain"
      aria-pressed=${dark}
      aria-label=${t("theme.dark")}
      onClick=${() => setTheme(dark ? "light" : "dark")}
    >
      <span class="theme-sign" aria-hidden="true"></span>
    </button>
  </div>`;
}

const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** @param {{ place: import("./sign_in.js").Place, onClose: () => void }} props */
function Help({ place, onClose }) {
  return html`<${Dialog} kind="box" title=${t("help.title")} onClose=${onClose}>
    <dl class="keys">
      ${SHORTCUTS.map(
        ([keys, text]) => html`<div key=${keys}>
          <dt><kbd dir="ltr">${keys}</kbd></dt>
          <dd>${t(text)}</dd>
        </div>`,
      )}
    </dl>
    <p class="muted">
      <a href=${place.docs}>${t("nav.docs")}</a> ·${" "}
      <a href=${place.licences}>${t("nav.licences")}</a>
    </p>
  <//>`;
}

