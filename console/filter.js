/** A filter of a list: the API's own conditions, kept in the address bar. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { formatDay, formatNumber, localMoment, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { replaceQuery } from "./route.js";

/**
 * A condition: its name in the API, what it takes (`from` and `until` are days, a list has the
 * values to choose from), and the prefix of its texts.
 * @typedef {[name: string, kind: "text" | "number" | "from" | "until" | string[], prefix?: string]} Field
 */

const EITHER = ["true", "false"];

/** @type {Field[]} */
export const LINK_FIELDS = [
  ["title", "text"],
  ["tag", "text"],
  ["isActive", EITHER],
  ["expired", EITHER],
  ["createdAfter", "from"],
  ["createdBefore", "until"],
  ["minClicks", "number"],
  ["maxClicks", "number"],
  ["externalId", "text"],
];

/** @type {Field[]} */
export const TRASH_FIELDS = [
  ["deletedAfter", "from"],
  ["deletedBefore", "until"],
  ["actor", "text"],
];

/** @type {Field[]} */
export const DELETION_FIELDS = [
  ["state", ["accepted", "exporting", "deleting", "erasing", "complete", "failed"], "deletion.state"],
  ["mode", ["soft", "erase"], "deletion.mode"],
  ["createdAfter", "from", "filter.deletedAfter"],
  ["createdBefore", "until", "filter.deletedBefore"],
  ["actor", "text"],
];

/** How long typing must rest before the list follows, in milliseconds. */
const TYPING_PAUSE = 250;

/**
 * The conditions that an address names.
 * @param {URLSearchParams} query
 * @param {Field[]} fields
 */
export function conditionsOf(query, fields) {
  const found = new URLSearchParams();
  for (const [name, kind] of fields) {
    const value = query.get(name);
    if (value && (!Array.isArray(kind) || kind.includes(value))) found.set(name, value);
  }
  return found;
}

/**
 * The filter of links as JSON, for a deletion. One without conditions means every link until now:
 * the API refuses a deletion by an empty filter.
 * @param {URLSearchParams} conditions
 * @returns {Record<string, string | number | boolean>}
 */
export function filterBody(conditions) {
  /** @type {Record<string, string | number | boolean>} */
  const body = {};
  for (const [name, kind] of LINK_FIELDS) {
    const value = conditions.get(name);
    if (!value) continue;
    body[name] = kind === EITHER ? value === "true" : kind === "number" ? Number(value) : value;
  }
  if (Object.keys(body).length === 0) body.createdBefore = new Date().toISOString();
  return body;
}

/** The name of a condition. @param {Field} field */
const labelOf = ([name, , prefix]) => t(prefix ?? `filter.${name}`);

/** @param {Field} field @param {string} value */
function valueInWords([name, kind, prefix = `filter.${name}`], value) {
  if (Array.isArray(kind)) return t(`${prefix}.${value}`);
  if (kind === "from" || kind === "until") return formatDay(shifted(value, kind));
  return kind === "number" ? formatNumber(Number(value)) : value;
}

/**
 * The moment that names the day. The API's moments are exclusive: a day from its first millisecond
 * on is "after" the one before. Shifted the other way, a day's moment becomes the API's.
 * @param {string} iso
 * @param {"from" | "until"} kind
 * @param {-1 | 1} [way]
 */
function shifted(iso, kind, way = 1) {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? "" : new Date(time + (kind === "from" ? way : -way)).toISOString();
}

/**
 * Links are searched by their title next to the filter; other lists have `children` there.
 * @param {{ fields: Field[], conditions: URLSearchParams, children?: any }} props
 */
export function FilterBar({ fields, conditions, children }) {
  const [open, setOpen] = useState(Boolean(children) && conditions.size > 0);
  const timer = useRef(0);
  const typed = useRef(/** @type {Record<string, string>} */ ({}));
  const latest = useRef(conditions);
  latest.current = conditions;
  useEffect(() => () => clearTimeout(timer.current), []);

  function apply() {
    clearTimeout(timer.current);
    const next = new URLSearchParams(latest.current);
    for (const [name, value] of Object.entries(typed.current)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    typed.current = {};
    replaceQuery(next);
  }

  /** @param {string} name @param {string} value */
  function change(name, value) {
    typed.current[name] = value;
    apply();
  }

  /** @param {string} name */
  const later = (name) => (/** @type {any} */ event) => {
    typed.current[name] = event.target.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(apply, TYPING_PAUSE);
  };

  /** What was typed stays while an earlier answer is shown. @param {string} name */
  const shown = (name) => typed.current[name] ?? conditions.get(name) ?? "";

  const listed = fields.filter(([name]) => name !== "title");
  const chips = listed.filter(([name]) => conditions.has(name));
  return html`<div class="filter">
    <div class="filter-line">
      ${children ??
      html`<label class="search">
        <${Icon} name="search" />
        <span class="hidden">${t("filter.title")}</span>
        <input
          id="filter-title"
          type="search"
          dir="auto"
          maxlength="200"
          placeholder=${t("filter.placeholder")}
          value=${shown("title")}
          onInput=${later("title")}
        />
      </label>`}
      <button aria-expanded=${open} onClick=${() => setOpen(!open)}>${t("filter.more")}</button>
    </div>
    ${open &&
    html`<div class="conditions">
      ${listed.map(
        (field) => html`<label key=${field[0]} class="field">
          <span>${labelOf(field)}</span>
          ${input(field, shown(field[0]), change, later)}
        </label>`,
      )}
    </div>`}
    ${chips.length > 0 &&
    html`<ul class="chips">
      ${chips.map((field) => {
        const [name] = field;
        const value = valueInWords(field, conditions.get(name) ?? "");
        const text = t("filter.is", { name: labelOf(field), value });
        return html`<li key=${name}>
          <span>${text}</span>
          <button
            class="plain"
            aria-label=${t("filter.remove", { condition: text })}
            onClick=${() => change(name, "")}
          >
            <${Icon} name="close" />
          </button>
        </li>`;
      })}
      <li class="bare">
        <button class="plain" onClick=${() => replaceQuery(new URLSearchParams())}>
          ${t("filter.clear")}
        </button>
      </li>
    </ul>`}
  </div>`;
}

/**
 * @param {Field} field
 * @param {string} value
 * @param {(name: string, value: string) => void} change
 * @param {(name: string) => (event: any) => void} later
 */
function input([name, kind, prefix = `filter.${name}`], value, change, later) {
  if (Array.isArray(kind)) {
    return html`<select
      name=${name}
      value=${value}
      onChange=${(/** @type {any} */ event) => change(name, event.target.value)}
    >
      <option value="">${t("filter.any")}</option>
      ${kind.map((each) => html`<option key=${each} value=${each}>${t(`${prefix}.${each}`)}</option>`)}
    </select>`;
  }
  if (kind === "from" || kind === "until") {
    return html`<input
      name=${name}
      type="date"
      value=${localMoment(shifted(value, kind)).slice(0, 10)}
      onChange=${(/** @type {any} */ event) => {
        const [year, month, day] = event.target.value.split("-").map(Number);
        if (!year) return change(name, "");
        // The first moment of the day, or of the next one.
        const moment = new Date(year, month - 1, kind === "from" ? day : day + 1).toISOString();
        change(name, kind === "from" ? shifted(moment, kind, -1) : moment);
      }}
    />`;
  }
  return html`<input
    name=${name}
    type=${kind}
    min="0"
    dir="auto"
    value=${value}
    onInput=${later(name)}
  />`;
}
