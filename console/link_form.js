/** The fields of a link. */

import { useState } from "preact/hooks";
import { html } from "./html.js";
import { localMoment, t } from "./i18n.js";

/** @typedef {import("./list.js").Link} Link */

/** What the API calls the content of a field. @param {HTMLInputElement} input */
function fieldValue({ name, type, value, checked }) {
  if (type === "checkbox") return checked;
  const text = value.trim();
  if (name === "tags") return text.split(/[,،]/).map((tag) => tag.trim()).filter(Boolean);
  if (!text) return null;
  return name === "expiresAt" ? new Date(text).toISOString() : text;
}

/**
 * @param {{
 *   link?: Link,
 *   submit: string,
 *   onSubmit: (fields: Record<string, any>) => Promise<void>,
 * }} props without `link` it is for a new one
 */
export function LinkForm({ link, submit, onSubmit }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  /** @param {any} event */
  async function send(event) {
    event.preventDefault();
    // Only what was changed: a field may show less than there is, such as a moment without seconds.
    /** @type {Record<string, any>} */
    const fields = {};
    for (const input of event.target.querySelectorAll("input")) {
      const changed = input.value !== input.defaultValue || input.checked !== input.defaultChecked;
      if (changed) fields[input.name] = fieldValue(input);
    }
    setBusy(true);
    setProblem("");
    try {
      await onSubmit(fields);
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    }
    setBusy(false);
  }

  /** @param {string} name @param {Record<string, any>} more */
  const field = (name, more) => html`<label class="field">
    <span>${t(`field.${name}`)}</span>
    <input name=${name} type="text" dir="auto" ...${more} />
  </label>`;

  return html`<form class="stack" onSubmit=${send}>
    ${field("originalUrl", { type: "url", dir: "ltr", required: true, maxlength: 2048, defaultValue: link?.originalUrl })}
    ${!link && field("shortCode", { dir: "ltr", maxlength: 30, pattern: "[A-Za-z0-9_\\-]{4,30}" })}
    ${field("title", { maxlength: 200, defaultValue: link?.title ?? "" })}
    ${field("tags", { defaultValue: link?.tags.join(", ") })}
    ${field("description", { maxlength: 500, defaultValue: link?.description ?? "" })}
    ${field("expiresAt", { type: "datetime-local", defaultValue: localMoment(link?.expiresAt) })}
    <label class="tick">
      <input type="checkbox" name="isActive" defaultChecked=${link?.isActive ?? true} />
      <span>${t("field.isActive")}</span>
    </label>
    ${problem && html`<p class="error-text" role="alert" dir="auto">${problem}</p>`}
    <div class="form-end">
      <button class="primary" type="submit" disabled=${busy}>${submit}</button>
    </div>
  </form>`;
}
