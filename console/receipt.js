/** A deletion as a page to print: who, what, when, why, and every id with its outcome. */

import { useEffect, useState } from "preact/hooks";
import { request } from "./api.js";
import { Facts } from "./deletion.js";
import { html } from "./html.js";
import { formatExact, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { href } from "./route.js";
import { ErrorState } from "./states.js";

/** @param {{ id: string }} props */
export function ReceiptPage({ id }) {
  const [deletion, setDeletion] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));

  async function load() {
    setError(null);
    try {
      setDeletion(await wholeDeletion(id));
    } catch (problem) {
      setError(/** @type {Error} */ (problem));
    }
  }
  useEffect(() => {
    load();
  }, []);

  if (!deletion) {
    return html`<section class="view">
      <h1>${t("receipt.title")}</h1>
      ${error
        ? html`<${ErrorState} error=${error} onRetry=${load} />`
        : html`<p class="muted" role="status">${t("loading")}</p>`}
    </section>`;
  }
  return html`<section class="view receipt">
    <header class="page-head no-print">
      <p><a href=${href("deletions", id)}>${t("deletion.title")}</a></p>
      <span class="grow"></span>
      <button class="primary" onClick=${() => print()}>
        <${Icon} name="print" />${t("receipt.print")}
      </button>
    </header>
    <article>
      <p class="brand"><span class="mark" aria-hidden="true"></span>Unlink</p>
      <h1>${t(`receipt.title.${deletion.mode}`)}</h1>
      <p>${t(`receipt.says.${deletion.mode}.${deletion.state === "complete" ? "complete" : "open"}`)}</p>
      <${Facts} deletion=${deletion} />
      <h2>${t("receipt.ids")}</h2>
      <ol class="ids">
        ${deletion.results.map(
          (/** @type {{ id: string, outcome: string }} */ result) => html`<li key=${result.id}>
            <bdi dir="ltr" class="mono">${result.id}</bdi> ${t(`outcome.${result.outcome}`)}
          </li>`,
        )}
      </ol>
      <p class="muted">${t("receipt.printed", { when: formatExact(new Date().toISOString()) })}</p>
    </article>
  </section>`;
}

/** The deletion with the outcomes of all its ids. @param {string} id */
async function wholeDeletion(id) {
  const deletion = await request("GET", `/deletions/${id}`, { query: { limit: "1000" } });
  for (let cursor = deletion.nextCursor; cursor; ) {
    const page = await request("GET", `/deletions/${id}`, { query: { limit: "1000", cursor } });
    deletion.results.push(...page.results);
    cursor = page.nextCursor;
  }
  return deletion;
}
