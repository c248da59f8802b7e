/** New links: one by its fields, or many from pasted lines and CSV files. */

import { useMemo, useState } from "preact/hooks";
import { ApiError, request } from "./api.js";
import { parseLinks } from "./csv.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { LinkForm } from "./link_form.js";
import { go, href } from "./route.js";
import { linksChanged } from "./selection.js";
import { session } from "./session.js";
import { showToast } from "./toasts.js";

/** @typedef {import("./csv.js").Row} Row */

/** Rows of the preview: a longer one would say no more. */
const SHOWN = 200;

export function NewLinks() {
  /** @param {Record<string, any>} fields */
  async function create(fields) {
    const link = await request("POST", "/links", {
      body: fields,
      once: true,
    }).catch(withTaken);
    linksChanged();
    go(href("links", link.id));
  }
  return html`<section class="view">
    <header class="page-head">
      <p><a href=${href("links")}>${t("nav.links")}</a></p>
      <h1>${t("new.title")}</h1>
    </header>
    <div class="columns">
      <div class="panel">
        <h2>${t("new.one")}</h2>
        <${LinkForm} submit=${t("new.create")} onSubmit=${create} />
      </div>
      <${Many} />
    </div>
  </section>`;
}

/** Says what has a code that is taken. @param {any} error */
function withTaken(error) {
  const [taken] = error.body?.taken ?? [];
  if (taken) error.message = t(`taken.${taken.takenBy}`, { code: taken.shortCode ?? taken.externalId });
  throw error;
}

function Many() {
  const [text, setText] = useState("");
  const [tagged, setTagged] = useState(true);
  const [refused, setRefused] = useState(/** @type {Map<number, string>} */ (new Map()));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [made, setMade] = useState(/** @type {Set<number>} */ (new Set()));
  const rows = useMemo(() => parseLinks(text), [text]);
  // The same for another attempt, so that rows which were created already are not created twice.
  const tag = useMemo(
    () => `import-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}`,
    [text],
  );
  const good = rows.filter(
    ({ problem, number }) => !problem && !refused.has(number) && !made.has(number),
  );

  /** @param {string} next */
  function change(next) {
    setText(next);
    setRefused(new Map());
    setMade(new Set());
    setError("");
  }

  async function create() {
    const bad = new Map(refused);
    const done = new Set(made);
    const size = session.get()?.me.plan.linksPerCreate;
    setBusy(true);
    setError("");
    try {
      for (let at = 0; at < good.length; at += size) {
        await createRun(good.slice(at, at + size), tagged ? tag : "", bad, done);
      }
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
    setBusy(false);
    setRefused(bad);
    setMade(done);
    const created = done.size - made.size;
    if (created > 0) {
      linksChanged();
      showToast(t("import.done", { n: created }), {
        link: tagged ? { label: t("toast.view"), href: `${href("links")}?tag=${tag}` } : undefined,
      });
    }
    // What is left to look at are the rows that were refused.
    if (bad.size === 0 && created === good.length) change("");
  }

  return html`<div class="panel">
    <h2>${t("import.title")}</h2>
    <p class="muted">${t("import.help")}</p>
    <label class="field">
      <span>${t("import.text")}</span>
      <textarea
        dir="ltr"
        spellcheck=${false}
        disabled=${busy}
        value=${text}
        onInput=${(/** @type {any} */ event) => change(event.target.value)}
      ></textarea>
    </label>
    <label class="field">
      <span>${t("import.file")}</span>
      <input
        type="file"
        disabled=${busy}
        accept=".csv,.tsv,.txt,text/csv,text/plain"
        onChange=${async (/** @type {any} */ event) => {
          const [file] = event.target.files;
          if (file) change(await file.text());
        }}
      />
    </label>
    <label class="tick">
      <input
        type="checkbox"
        checked=${tagged}
        onChange=${(/** @type {any} */ event) => setTagged(event.target.checked)}
      />
      <span>${t("import.tag")}</span>
    </label>
    ${error && html`<p class="error-text" role="alert" dir="auto">${error}</p>`}
    ${rows.length > 0 &&
    html`<p role="status">
        ${t("import.good", { n: good.length })}${" "}
        ${t("import.bad", { n: rows.length - good.length - made.size })}
      </p>
      <${Preview} rows=${rows} refused=${refused} made=${made} />`}
    <div class="form-end">
      <button class="primary" disabled=${busy || good.length === 0} onClick=${create}>
        ${t("import.create", { n: good.length })}
      </button>
    </div>
  </div>`;
}

/** @param {{ rows: Row[], refused: Map<number, string>, made: Set<number> }} props */
function Preview({ rows, refused, made }) {
  // Problems first: they are what there is to do.
  const problem = (/** @type {Row} */ row) =>
    refused.get(row.number) ?? (row.problem && t(row.problem));
  const sorted = rows.toSorted((a, b) => Number(!problem(a)) - Number(!problem(b)));
  return html`<div class="table-wrap preview" tabindex="0" role="region" aria-label=${t("import.title")}>
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">${t("import.row")}</th>
          <th scope="col">${t("import.result")}</th>
          <th scope="col">${t("field.originalUrl")}</th>
          <th scope="col">${t("field.shortCode")}</th>
        </tr>
      </thead>
      <tbody>
        ${sorted.slice(0, SHOWN).map(
          (row) => html`<tr key=${row.number}>
            <td class="number">${row.number}</td>
            <td class=${`state ${problem(row) ? "error-text" : "muted"}`}>
              ${problem(row) || t(made.has(row.number) ? "links.created" : "import.ok")}
            </td>
            <td class="text"><bdi dir="ltr" class="cut">${row.link.originalUrl ?? ""}</bdi></td>
            <td><bdi dir="ltr">${row.link.shortCode ?? "–"}</bdi></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/**
 * Creates the rows in one request. The API takes all or none, so rows that it refuses are noted in
 * `bad` and left out of the next attempt.
 * @param {Row[]} rows
 * @param {string} tag
 * @param {Map<number, string>} bad
 * @param {Set<number>} done receives the numbers of the rows that were created
 */
async function createRun(rows, tag, bad, done) {
  let left = rows;
  while (left.length > 0) {
    try {
      await request("POST", "/links", {
        body: left.map(({ link }) => (tag ? { ...link, tags: [...(link.tags ?? []), tag] } : link)),
        once: true,
      });
      for (const { number } of left) done.add(number);
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      noteRefused(error, left, bad);
      const next = left.filter(({ number }) => !bad.has(number));
      if (next.length === left.length) throw error;
      left = next;
    }
  }
}

/** @param {ApiError} error @param {Row[]} rows @param {Map<number, string>} bad */
function noteRefused({ body }, rows, bad) {
  for (const detail of body.details ?? []) {
    const [, position, text] = /^(\d+)\.(.*)$/s.exec(detail) ?? [];
    if (position) bad.set(rows[Number(position)].number, text);
  }
  for (const { number, link } of rows) {
    const code = body.takenCodes?.includes(link.shortCode) && link.shortCode;
    const id = body.takenExternalIds?.includes(link.externalId) && link.externalId;
    if (!code && !id) continue;
    const by = body.taken?.find((/** @type {any} */ each) =>
      code ? each.shortCode === code : each.externalId === id,
    );
    bad.set(number, t(`taken.${by?.takenBy ?? "other"}`, { code: code || id }));
  }
}
