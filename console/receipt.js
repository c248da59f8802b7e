/** A deletion as a page to print: who, what, when, why, and every id with its outcome. */

import { useEffect } from "preact/hooks";
import { absoluteBase, request } from "./api.js";
import { useAnswer } from "./answer.js";
import { Facts } from "./deletion.js";
import { html, saveFile } from "./html.js";
import { formatExact, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { href } from "./route.js";
import { ErrorState, Loading } from "./states.js";

/** @param {{ id: string }} props */
export function ReceiptPage({ id }) {
  const { value: deletion, error, reload } = useAnswer((signal) => wholeDeletion(id, signal), []);
  if (!deletion) {
    return html`<section class="view">
      <h1>${t("receipt.title")}</h1>
      ${error
        ? html`<${ErrorState} error=${error} onRetry=${reload} />`
        : html`<${Loading} />`}
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
      ${deletion.mode === "erase" &&
      deletion.state === "complete" &&
      html`<${Signature} id=${id} />`}
      <h2>${t("nav.links")}</h2>
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

/** The signed receipt: whether there is one, its file, and how to verify it. @param {{ id: string }} props */
function Signature({ id }) {
  const { value: text, error: problem, reload } = useAnswer(async (signal) => {
    const content = await request("GET", `/receipts/${id}`, { as: "blob", signal });
    return content.text();
  }, []);
  const error = /** @type {import("./api.js").ApiError | undefined} */ (problem);
  const status = error?.status;
  // A service that does not sign answers JSON; a JWS begins with a letter.
  const signed = text && !text.startsWith("{");
  const state = text ? (signed ? "signed" : "off") : status === 409 ? "pending" : status === 404 && "none";

  useEffect(() => {
    if (error?.status !== 409) return;
    const timer = setTimeout(reload, (error.body.retryAfter ?? 30) * 1000);
    return () => clearTimeout(timer);
  }, [error]);

  const file = `receipt-${id}.jws`;
  const service = new URL(".", absoluteBase()).href;
  const keys = `${service}.well-known/jwks.json`;
  return html`<section class="stack signature">
    <h2>${t("signature.title")}</h2>
    <p role="status">
      ${state ? t(`signature.${state}`) : (error?.message ?? t("loading"))}
    </p>
    ${signed &&
    html`<p class="no-print">
        <button onClick=${() => saveFile(new Blob([text], { type: "application/jose" }), file)}>
          <${Icon} name="download" />${t("signature.download")}
        </button>
      </p>
      <div>
        <p>${t("signature.verify")}</p>
        <pre dir="ltr" tabindex="0"><code>unlinkctl verify ${file} --url ${service.slice(0, -1)}</code></pre>
      </div>
      <p>
        ${t("signature.keys")}${" "}
        <a href=${keys} target="_blank" rel="noreferrer"><bdi dir="ltr">${keys}</bdi></a>
      </p>`}
  </section>`;
}

/**
 * The deletion with the outcomes of all its ids.
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function wholeDeletion(id, signal) {
  const page = (/** @type {object} */ more) =>
    request("GET", `/deletions/${id}`, { query: { limit: "1000", ...more }, signal });
  const deletion = await page({});
  for (let cursor = deletion.nextCursor; cursor; ) {
    const next = await page({ cursor });
    deletion.results.push(...next.results);
    cursor = next.nextCursor;
  }
  return deletion;
}
