/** The filter of the links: the API's own conditions, kept in the address bar. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { formatDay, formatNumber, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { replaceQuery } from "./route.js";

/** The conditions of `GET /api/links`, in the order of their chips. */
export const CONDITIONS = /** @type {const} */ ([
  "title",
  "tag",
  "isActive",
  "expired",
  "createdAfter",
  "createdBefore",
  "minClicks",
  "maxClicks",
  "externalId",
]);

/** How long typing must rest before the list follows, in milliseconds. */
const TYPING_PAUSE = 250;

/** The conditions that an address names. @param {URLSearchParams} query */
export function conditionsOf(query) {
  const found = new URLSearchParams();
  for (const name of CONDITIONS) {
    const value = query.get(name);
    if (value) found.set(name, value);
  }
  return found;
}

/**
 * The filter as JSON, for a deletion. One without conditions means every link until now: the API
 * refuses a deletion by an empty filter.
 * @param {URLSearchParams} conditions
 * @returns {Record<string, string | number | boolean>}
 */
export function filterBody(conditions) {
  /** @type {Record<string, string | number | boolean>} */
  const body = {};
  for (const [name, value] of conditions) {
    if (name === "isActive" || name === "expired") body[name] = value === "true";
    else if (name === "minClicks" || name === "maxClicks") body[name] = Number(value);
    else body[name] = value;
  }
  if (Object.keys(body).length === 0) body.createdBefore = new Date().toISOString();
  return body;
}

/** A condition in words. @param {string} name @param {string} value */
function inWords(name, value) {
  if (name === "isActive" || name === "expired") return t(`filter.${name}.${value}`);
  if (name === "createdAfter") return t("filter.from", { day: formatDay(nextMoment(value)) });
  if (name === "createdBefore") return t("filter.until", { day: formatDay(previousMoment(value)) });
  if (name === "minClicks") return t("filter.min", { number: formatNumber(Number(value)) });
  if (name === "maxClicks") return t("filter.max", { number: formatNumber(Number(value)) });
  return t(`filter.${name}.is`, { value });
}

// The API's moments are exclusive: a day from its first millisecond on is "after" the one before.
/** @param {string} iso */
const nextMoment = (iso) => shifted(iso, 1);
/** @param {string} iso */
const previousMoment = (iso) => shifted(iso, -1);

/** @param {string} iso @param {number} milliseconds */
function shifted(iso, milliseconds) {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? "" : new Date(time + milliseconds).toISOString();
}

/** The day of the visitor's calendar as an input has it. @param {string} iso */
function inputDay(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** @param {{ conditions: URLSearchParams }} props */
export function FilterBar({ conditions }) {
  const [open, setOpen] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);

  /** @param {string} name @param {string} value */
  function change(name, value) {
    const next = new URLSearchParams(conditions);
    if (value) next.set(name, value);
    else next.delete(name);
    replaceQuery(next);
  }

  /** @param {string} name */
  const later = (name) => (/** @type {any} */ event) => {
    const { value } = event.target;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => change(name, value), TYPING_PAUSE);
  };

  const chips = [...conditions].filter(([name]) => name !== "title");
  return html`<div class="filter">
    <div class="filter-line">
      <label class="search">
        <${Icon} name="search" />
        <span class="hidden">${t("filter.title")}</span>
        <input
          id="filter-title"
          type="search"
          dir="auto"
          maxlength="200"
          placeholder=${t("filter.placeholder")}
          value=${conditions.get("title") ?? ""}
          onInput=${later("title")}
        />
      </label>
      <button aria-expanded=${open} onClick=${() => setOpen(!open)}>${t("filter.more")}</button>
    </div>
    ${open && html`<${Conditions} conditions=${conditions} change=${change} later=${later} />`}
    ${chips.length > 0 &&
    html`<ul class="chips">
      ${chips.map(
        ([name, value]) => html`<li key=${name}>
          <span dir="auto">${inWords(name, value)}</span>
          <button
            class="plain"
            aria-label=${t("filter.remove", { condition: inWords(name, value) })}
            onClick=${() => change(name, "")}
          >
            <${Icon} name="close" />
          </button>
        </li>`,
      )}
      <li class="bare">
        <button class="plain" onClick=${() => replaceQuery(new URLSearchParams())}>
          ${t("filter.clear")}
        </button>
      </li>
    </ul>`}
  </div>`;
}

/**
 * @param {{
 *   conditions: URLSearchParams,
 *   change: (name: string, value: string) => void,
 *   later: (name: string) => (event: any) => void,
 * }} props
 */
function Conditions({ conditions, change, later }) {
  /** @param {string} name */
  const text = (name) => html`<label class="field">
    <span>${t(`filter.${name}`)}</span>
    <input type="text" dir="auto" value=${conditions.get(name) ?? ""} onInput=${later(name)} />
  </label>`;
  /** @param {string} name */
  const choice = (name) => html`<label class="field">
    <span>${t(`filter.${name}`)}</span>
    <select
      value=${conditions.get(name) ?? ""}
      onChange=${(/** @type {any} */ event) => change(name, event.target.value)}
    >
      <option value="">${t("filter.any")}</option>
      <option value="true">${t(`filter.${name}.true`)}</option>
      <option value="false">${t(`filter.${name}.false`)}</option>
    </select>
  </label>`;
  /** @param {string} name */
  const number = (name) => html`<label class="field">
    <span>${t(`filter.${name}`)}</span>
    <input
      type="number"
      min="0"
      step="1"
      inputmode="numeric"
      value=${conditions.get(name) ?? ""}
      onInput=${later(name)}
    />
  </label>`;
  /** @param {string} name @param {1 | -1} shift */
  const day = (name, shift) => html`<label class="field">
    <span>${t(`filter.${name}`)}</span>
    <input
      type="date"
      value=${inputDay(shifted(conditions.get(name) ?? "", shift))}
      onChange=${(/** @type {any} */ event) => {
        const [year, month, date] = event.target.value.split("-").map(Number);
        if (!year) return change(name, "");
        const begin = new Date(year, month - 1, shift > 0 ? date : date + 1).toISOString();
        change(name, shift > 0 ? previousMoment(begin) : begin);
      }}
    />
  </label>`;
  return html`<div class="conditions">
    ${text("tag")} ${choice("isActive")} ${choice("expired")} ${day("createdAfter", 1)}
    ${day("createdBefore", -1)} ${number("minClicks")} ${number("maxClicks")} ${text("externalId")}
  </div>`;
}
