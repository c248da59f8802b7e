/** The fields of a link. */

import { useState } from "preact/hooks";
import { html } from "./html.js";
import { t } from "./i18n.js";

/** @typedef {import("./list.js").Link} Link */

/** A moment as a field for local time has it. @param {string | null | undefined} iso */
function localMoment(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
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
    const data = new FormData(event.target);
    const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
    const expires = text("expiresAt");
    /** @type {Record<string, any>} */
    const fields = {
      originalUrl: text("originalUrl"),
      title: text("title") || null,
      description: text("description") || null,
      tags: text("tags").split(/[,،]/).map((tag) => tag.trim()).filter(Boolean),
      expiresAt: expires ? new Date(expires).toISOString() : null,
      isActive: data.has("isActive"),
    };
    if (text("shortCode")) fields.shortCode = text("shortCode");
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
