/** Texts, numbers and dates in the language of the page. */

import { createStore, preference, setPreference } from "./store.js";

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Message */
/** @typedef {"en" | "ar"} Language */

/** @type {Record<Language, { dir: "ltr" | "rtl", name: string }>} */
export const LANGUAGES = {
  en: { dir: "ltr", name: "English" },
  ar: { dir: "rtl", name: "العربية" },
};

/** Around each inserted text, so that its direction does not disturb the sentence (UAX 9). */
const ISOLATE = "\u2068";
const END_OF_ISOLATE = "\u2069";

/** @type {Record<string, Message>} */
let messages = {};
let plural = new Intl.PluralRules("en");
let number = new Intl.NumberFormat("en");

export const language = createStore(/** @type {Language} */ ("en"));

/** The language to begin with: the one chosen last, or the browser's. */
export function preferredLanguage() {
  const wanted = [preference("language"), ...navigator.languages];
  for (const each of wanted) {
    const short = /** @type {Language} */ ((each ?? "").slice(0, 2).toLowerCase());
    if (Object.hasOwn(LANGUAGES, short)) return short;
  }
  return "en";
}

/**
 * Loads the language's texts and turns the page to it.
 * @param {Language} wanted
 * @param {boolean} [remember]
 */
export async function setLanguage(wanted, remember = false) {
  const loaded = wanted === "ar" ? await import("./ar.js") : await import("./en.js");
  messages = loaded.messages;
  plural = new Intl.PluralRules(wanted);
  number = new Intl.NumberFormat(wanted);
  const root = document.documentElement;
  root.lang = wanted;
  root.dir = LANGUAGES[wanted].dir;
  if (remember) setPreference("language", wanted);
  language.set(wanted);
}

/**
 * The text of a key. `{name}` in it is replaced: numbers are formatted, texts are isolated. The
 * plural form is chosen by `n`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const message = messages[key];
  const text =
    typeof message === "object"
      ? message[plural.select(Number(values.n))] ?? message.other ?? key
      : message ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (typeof value === "number") return number.format(value);
    // Isolates in it would end this one, or continue after it.
    return `${ISOLATE}${value.replace(/[\u2066-\u2069]/g, "")}${END_OF_ISOLATE}`;
  });
}

/** @param {number} value */
export const formatNumber = (value) => number.format(value);

/** "a, b or c" @param {string[]} names */
export const formatChoice = (names) =>
  new Intl.ListFormat(language.get(), { type: "disjunction" }).format(names);

/** @type {Map<string, Intl.DateTimeFormat>} */
const dateFormats = new Map();

/** @param {Intl.DateTimeFormatOptions} options */
function dateFormat(options) {
  const key = language.get() + JSON.stringify(options);
  let format = dateFormats.get(key);
  if (!format) dateFormats.set(key, (format = new Intl.DateTimeFormat(language.get(), options)));
  return format;
}

/** A day: 26 Nov 2026. @param {string | null | undefined} iso */
export const formatDay = (iso) =>
  iso ? dateFormat({ dateStyle: "medium" }).format(new Date(iso)) : "–";

/** A day of UTC, as analytics count. @param {string} day */
export const formatUtcDay = (day) =>
  dateFormat({ day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(`${day}T00:00Z`));

/** A moment in the visitor's time zone. @param {string | null | undefined} iso */
export const formatMoment = (iso) =>
  iso ? dateFormat({ dateStyle: "medium", timeStyle: "short" }).format(new Date(iso)) : "–";

/** A moment with seconds and zone, for records. @param {string | null | undefined} iso */
export const formatExact = (iso) =>
  iso ? dateFormat({ dateStyle: "long", timeStyle: "long" }).format(new Date(iso)) : "–";

/** A moment as a field for local time has it. @param {string | null | undefined} iso */
export function localMoment(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const UNITS = /** @type {const} */ ([
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
]);

/** How long ago or until: "5 minutes ago". @param {string} iso */
export function formatRelative(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const format = new Intl.RelativeTimeFormat(language.get(), { numeric: "auto" });
  const [unit, size] =
    UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS[UNITS.length - 1];
  return format.format(Math.round(seconds / size), unit);
}
