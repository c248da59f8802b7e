/** The delete sheet: what would be deleted, then move it to the trash or erase it. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { whyNot } from "./access.js";
import { ApiError, absoluteBase, request } from "./api.js";
import { CopyButton } from "./copy.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { formatMoment, formatNumber, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { href } from "./route.js";
import { may } from "./session.js";
import { clearSelection, deselect, linksChanged } from "./selection.js";
import { showError, showToast } from "./toasts.js";
import { undo } from "./undo.js";
import { watchDeletion } from "./watch.js";

/** @typedef {import("./selection.js").Selection} Selection */
/** @typedef {import("./list.js").Link} Link */
/** @typedef {"soft" | "erase"} Mode */
/** @typedef {{ joined: Link[], gone: Link[] }} Change */
/**
 * @typedef {object} DryRun
 * @property {{ requested: number, deletable: number, unknown: number, invalid: number }} counts
 * @property {number} clicks
 * @property {string | null} lastClickAt
 * @property {string[]} unknownIds
 * @property {string} [confirmationToken]
 */

/** The scope that a mode needs. */
const MODE_SCOPES = { soft: "linksWrite", erase: "linksErase" };

const UNDO_SCOPES = ["linksRestore", "linksUndo"];
const mayUndo = () => UNDO_SCOPES.some(may);

/** How many links are named that joined or left the set. */
const NAMED = 10;

/**
 * @param {{
 *   selected: Selection,
 *   known?: Link[],
 *   onlyErase?: boolean,
 *   onDeleted?: () => void,
 *   onClose: () => void,
 * }} props `known`: the links that the view has loaded, newest first
 */
export function DeleteSheet({ selected, known = [], onlyErase = false, onDeleted, onClose }) {
  const [mode, setMode] = useState(
    /** @type {Mode} */ (onlyErase || !may("linksWrite") ? "erase" : "soft"),
  );
  const [reason, setReason] = useState("");
  const [withExport, setWithExport] = useState(false);
  const [typed, setTyped] = useState("");
  const [dryRun, setDryRun] = useState(/** @type {DryRun | null} */ (null));
  const [before, setBefore] = useState(/** @type {DryRun | null} */ (null));
  const [change, setChange] = useState(/** @type {Change | null} */ (null));
  const seen = useRef(known);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [look, setLook] = useState(0);

  const what = useMemo(
    () => (selected.kind === "ids" ? { ids: [...selected.ids] } : { filter: selected.filter }),
    [selected],
  );
  useEffect(() => {
    const controller = new AbortController();
    setDryRun(null);
    request("POST", "/deletions", {
      body: { ...what, mode, dryRun: true },
      signal: controller.signal,
    }).then(setDryRun, (error) => {
      if (!controller.signal.aborted) setProblem(error.message);
    });
    return () => controller.abort();
  }, [what, mode, look]);

  const body = {
    ...what,
    mode,
    ...(reason.trim() ? { reason: reason.trim() } : {}),
    ...(withExport ? { export: true } : {}),
    ...(dryRun?.confirmationToken ? { confirmationToken: dryRun.confirmationToken } : {}),
  };

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setProblem("");
    try {
      accepted(await request("POST", "/deletions", { body, once: true }));
    } catch (error) {
      setBusy(false);
      refused(/** @type {Error} */ (error));
    }
  }

  /** @param {any} deletion */
  function accepted(deletion) {
    clearSelection();
    linksChanged();
    watchDeletion(deletion);
    const n = deletion.counts.requested;
    const open = deletion.state !== "complete";
    const text = t(mode === "soft" ? (open ? "toast.trashing" : "toast.trashed") : "toast.erasing", { n });
    showToast(text, {
      action:
        mode === "soft" && mayUndo()
          ? { label: t("undo"), run: () => undo(deletion.id).catch(showError) }
          : undefined,
      link: { label: t("toast.view"), href: href("deletions", deletion.id) },
    });
    onDeleted?.();
    onClose();
  }

  /** @param {Error} error */
  function refused(error) {
    const stale = error instanceof ApiError && error.status === 409 && selected.kind === "filter";
    if (!stale) return setProblem(error.message);
    setBefore(dryRun);
    setTyped("");
    setLook(look + 1);
    compare(selected.filter);
  }

  /** Which of the newest links joined or left the set. @param {Record<string, any>} filter */
  async function compare(filter) {
    setChange(null);
    try {
      const query = { ...filter, limit: String(Math.min(seen.current.length || 100, 1000)) };
      const { links, nextCursor } = await request("GET", "/links", { query });
      setChange(changeOf(seen.current, links, nextCursor === null));
      seen.current = links;
    } catch {
      // The counts are shown; the links are only a help.
    }
  }

  const count = dryRun?.counts.deletable ?? 0;
  const unknown = dryRun?.counts.unknown ?? 0;
  const blocked = mode === "soft" && unknown > 0;
  const confirmed = mode === "soft" || typedNumber(typed) === count;
  const ready = dryRun !== null && count > 0 && !blocked && confirmed && !busy;

  return html`<${Dialog} title=${t("delete.title")} onClose=${busy ? undefined : onClose}>
    <form class="sheet-form" onSubmit=${submit}>
      <${Figures} dryRun=${dryRun} />
      ${before && dryRun && html`<${Difference} before=${before} now=${dryRun} change=${change} />`}
      ${problem &&
      html`<div class="notice error" role="alert">
        <${Icon} name="warning" /><span dir="auto">${problem}</span>
      </div>`}
      ${blocked &&
      html`<div class="notice" role="alert">
        <span class="grow">
          ${t("delete.unknown", { n: unknown })}
          <${Codes} ids=${dryRun?.unknownIds} known=${known} count=${unknown} />
        </span>
        ${count > 0 &&
        html`<button type="button" onClick=${() => deselect(dryRun?.unknownIds ?? [])}>
          ${t("delete.dropUnknown")}
        </button>`}
      </div>`}
      ${!onlyErase &&
      html`<fieldset class="modes">
        <legend class="hidden">${t("delete.how")}</legend>
        ${/** @type {Mode[]} */ (["soft", "erase"]).map(
          (each) => html`<label key=${each} class=${`mode ${each}`}>
            <input
              type="radio"
              name="mode"
              checked=${mode === each}
              disabled=${!may(MODE_SCOPES[each])}
              onChange=${() => {
                setMode(each);
                setProblem("");
              }}
            />
            <span>
              <strong>${t(`delete.${each}`)}</strong>
              <small>
                ${may(MODE_SCOPES[each]) ? t(`delete.${each}Help`) : whyNot(`delete.${each}`, [MODE_SCOPES[each]])}
                ${each === "soft" && !mayUndo() && html`<br />${whyNot("undo", UNDO_SCOPES)}`}
              </small>
            </span>
          </label>`,
        )}
      </fieldset>`}
      ${onlyErase && html`<p class="error-text">${t("delete.eraseHelp")}</p>`}
      <label class="field">
        <span>${t("delete.reason")}</span>
        <input
          type="text"
          dir="auto"
          maxlength="500"
          value=${reason}
          onInput=${(/** @type {any} */ event) => setReason(event.target.value)}
        />
      </label>
      <label class="tick">
        <input
          type="checkbox"
          disabled=${!may("analyticsRead")}
          checked=${withExport}
          onChange=${(/** @type {any} */ event) => setWithExport(event.target.checked)}
        />
        <span>
          ${t("delete.export")}
          <small>
            ${may("analyticsRead") ? t("delete.exportHelp") : whyNot("delete.export", ["analyticsRead"])}
          </small>
        </span>
      </label>
      ${mode === "erase" &&
      dryRun &&
      count > 0 &&
      html`<label class="field">
        <span>${t("delete.type", { n: count })}</span>
        <input
          type="text"
          dir="ltr"
          inputmode="numeric"
          autocomplete="off"
          value=${typed}
          onInput=${(/** @type {any} */ event) => setTyped(event.target.value)}
        />
      </label>`}
      <${SameRequest} body=${body} />
      <footer>
        <button type="button" disabled=${busy} onClick=${onClose}>${t("cancel")}</button>
        <button
          type="submit"
          class=${mode === "erase" ? "danger" : "primary"}
          aria-disabled=${!ready}
        >
          ${busy ? t("delete.busy") : t(`delete.${mode}Submit`, { n: count })}
        </button>
      </footer>
    </form>
  <//>`;
}

/** A number as it was typed, with any separators and in Latin or Arabic digits. @param {string} text */
function typedNumber(text) {
  const latin = text.replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660));
  const digits = latin.replace(/[\s.,'٬]/g, "");
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

/** @param {{ dryRun: DryRun | null }} props */
function Figures({ dryRun }) {
  const figures = [
    ["links", dryRun && formatNumber(dryRun.counts.deletable)],
    ["clicks", dryRun && formatNumber(dryRun.clicks)],
    ["lastClick", dryRun && formatMoment(dryRun.lastClickAt)],
  ];
  return html`<dl class="figures" aria-busy=${!dryRun}>
    ${figures.map(
      ([name, value]) => html`<div key=${name}>
        <dt>${t(`delete.figure.${name}`)}</dt>
        <dd>${value ?? html`<span class="skeleton" aria-hidden="true"></span>`}</dd>
      </div>`,
    )}
  </dl>`;
}

/**
 * What differs between two lists of one order. Past their last common link nothing is known,
 * unless `now` is all there is.
 * @param {Link[]} before
 * @param {Link[]} now
 * @param {boolean} all
 * @returns {Change}
 */
function changeOf(before, now, all) {
  /** @param {Link[]} links @param {Link[]} others @param {boolean} [whole] */
  function missing(links, others, whole) {
    const ids = new Set(others.map(({ id }) => id));
    const end = whole ? links.length : links.findLastIndex(({ id }) => ids.has(id));
    return links.filter(({ id }, index) => index < end && !ids.has(id));
  }
  return { joined: missing(now, before), gone: missing(before, now, all) };
}

/** @param {{ before: DryRun, now: DryRun, change: Change | null }} props */
function Difference({ before, now, change }) {
  const more = now.counts.deletable - before.counts.deletable;
  return html`<div class="notice error" role="alert">
    <${Icon} name="warning" />
    <div>
      <strong>${t("delete.changed")}</strong>${" "}
      ${t("delete.changedFrom", {
        before: before.counts.deletable,
        now: now.counts.deletable,
        clicksBefore: before.clicks,
        clicksNow: now.clicks,
      })}${" "}
      ${more === 0 ? t("delete.changedOthers") : ""}
      ${change &&
      /** @type {const} */ (["joined", "gone"]).map(
        (name) =>
          change[name].length > 0 &&
          html`<p key=${name} class=${name}>
            ${t(`delete.${name}`)}
            <${Codes} ids=${change[name].map(({ id }) => id)} known=${change[name]} count=${change[name].length} />
          </p>`,
      )}
      ${change &&
      change.joined.length + change.gone.length > 0 &&
      html`<small>${t("delete.asLoaded")}</small>`}
    </div>
  </div>`;
}

/**
 * The first of some links by their codes, and how many others there are.
 * @param {{ ids?: string[], known: Link[], count: number }} props `known`: links that have a code
 */
function Codes({ ids = [], known, count }) {
  const named = ids.slice(0, NAMED);
  return html`${named.map(
    (id) => html`${" "}<bdi key=${id} dir="ltr" class="mono">
      ${known.find((link) => link.id === id)?.shortCode ?? id}
    </bdi>`,
  )}
  ${" "}${count > named.length && t("delete.others", { n: count - named.length })}`;
}

/** The request as curl and as a command. @param {{ body: Record<string, any> }} props */
function SameRequest({ body }) {
  return html`<details class="same-request">
    <summary>${t("delete.asCurl")}</summary>
    ${[asCurl, asCommand].map(
      (write) => html`<div key=${write.name}>
        <${CopyButton} text=${() => write(body)} label=${t("copy")} />
        <pre dir="ltr" tabindex="0"><code>${write(shortened(body))}</code></pre>
      </div>`,
    )}
  </details>`;
}

/** The body with a few of its ids, to be read. @param {Record<string, any>} body */
const shortened = (body) =>
  body.ids?.length > 3 ? { ...body, ids: [...body.ids.slice(0, 3), "…"] } : body;

/** @param {Record<string, any>} body */
const asCurl = (body) =>
  [
    `curl -X POST "${absoluteBase()}/deletions"`,
    `  -H "Authorization: Bearer $UNLINK_API_KEY"`,
    `  -H "Content-Type: application/json"`,
    `  -d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n");

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {Record<string, any>} body */
function asCommand(body) {
  const words = ["unlinkctl", "delete"];
  for (const [name, value] of Object.entries(body.filter ?? {})) {
    const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (name === "isActive") words.push(value ? "--active" : "--inactive");
    else if (name === "expired") words.push(value ? "--expired" : "--not-expired");
    else words.push(`--${option}`, quoted(String(value)));
  }
  words.push(...(body.ids ?? []));
  if (body.mode === "erase") words.push("--erase");
  if (body.reason) words.push("--reason", quoted(body.reason));
  if (body.export) words.push("--export");
  return words.join(" ");
}
