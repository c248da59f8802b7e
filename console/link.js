/** One link: its clicks, its QR code, its fields, its export. */

import { useEffect, useState } from "preact/hooks";
import { Action, Guard } from "./access.js";
import { useAnswer } from "./answer.js";
import { request } from "./api.js";
import { Analytics } from "./analytics.js";
import { CopyButton } from "./copy.js";
import { DeleteSheet } from "./delete_sheet.js";
import { html, saveFile } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { LinkForm } from "./link_form.js";
import { DeleteButton, withoutScheme } from "./links.js";
import { go, href } from "./route.js";
import { linksChanged, linksVersion } from "./selection.js";
import { ErrorState } from "./states.js";
import { useStore } from "./store.js";
import { showError, showToast } from "./toasts.js";
import { isRunning } from "./watch.js";

/** @typedef {import("./list.js").Link} Link */

/** @param {{ id: string }} props */
export function LinkPage({ id }) {
  const [deleting, setDeleting] = useState(false);
  const address = `/links/${encodeURIComponent(id)}`;
  const version = useStore(linksVersion);
  const { value, error, reload } = useAnswer(
    (signal) => request("GET", address, { signal }),
    [version],
  );
  const shown = /** @type {Link | undefined} */ (value);

  /** @param {Record<string, any>} changes */
  async function save(changes) {
    await request("PUT", address, { body: changes });
    showToast(t("link.saved"));
    linksChanged();
  }

  return html`<section class="view">
    <header class="page-head">
      <p><a href=${href("links")}>${t("nav.links")}</a></p>
      <h1><bdi>${shown ? (shown.title ?? shown.shortCode) : t("links.link")}</bdi></h1>
      ${shown &&
      html`<span class="sub">
          <a href=${shown.shortUrl} rel="noreferrer" target="_blank">
            <bdi dir="ltr">${withoutScheme(shown.shortUrl)}</bdi>
          </a>
          <${CopyButton} text=${shown.shortUrl} />
        </span>
        <span class="grow"></span>
        <${ExportButton} id=${shown.id} />
        <${DeleteButton} onClick=${() => setDeleting(true)} />`}
    </header>
    ${error && html`<${ErrorState} error=${error} onRetry=${reload} />`}
    ${shown &&
    html`<div class="columns">
      <${Guard} label="links.clicks" scopes=${["analyticsRead"]}>
        <${Analytics} id=${shown.id} />
      <//>
      <div class="stack">
        <${QrCode} id=${shown.id} code=${shown.shortCode} />
        <${Guard} label="link.edit" scopes=${["linksWrite"]}>
          <div class="panel">
            <h2>${t("link.edit")}</h2>
            <${LinkForm} key=${shown.updatedAt} link=${shown} onSubmit=${save} submit=${t("link.save")} />
          </div>
        <//>
      </div>
    </div>`}
    ${deleting &&
    shown &&
    html`<${DeleteSheet}
      selected=${{ kind: "ids", ids: new Set([shown.id]) }}
      onDeleted=${() => go(href("links"))}
      onClose=${() => setDeleting(false)}
    />`}
  </section>`;
}

/** @param {{ id: string, code: string }} props */
function QrCode({ id, code }) {
  const [image, setImage] = useState("");
  useEffect(() => {
    let address = "";
    const controller = new AbortController();
    render("svg", controller.signal).then((blob) => {
      address = URL.createObjectURL(blob);
      setImage(address);
    }, showError);
    return () => {
      controller.abort();
      URL.revokeObjectURL(address);
    };
  }, [id]);

  /** @param {string} format @param {AbortSignal} [signal] */
  function render(format, signal) {
    return request("GET", `/links/${id}/qr`, {
      query: { format, size: format === "png" ? "1024" : "256" },
      as: "blob",
      signal,
    });
  }

  /** @param {string} format */
  async function download(format) {
    try {
      saveFile(await render(format), `${code}.${format}`);
    } catch (error) {
      showError(error);
    }
  }

  return html`<div class="panel qr">
    <h2>${t("qr.title")}</h2>
    ${image && html`<img src=${image} alt=${t("qr.alt", { code })} width="160" height="160" />`}
    <div class="form-end">
      ${["png", "svg"].map(
        (format) => html`<button key=${format} onClick=${() => download(format)}>
          <${Icon} name="download" />${format.toUpperCase()}
        </button>`,
      )}
    </div>
  </div>`;
}

/** Asks for the file of a link's clicks, and offers it when it is written. @param {{ id: string }} props */
function ExportButton({ id }) {
  const [job, setJob] = useState(/** @type {any} */ (null));
  const open = job !== null && isRunning(job);
  /** @param {string} method @param {string} [part] @param {object} [more] */
  const ask = (method, part = "", more = {}) =>
    request(method, `/analytics/links/${id}/export${part}`, more).then(setJob, (error) => {
      showError(error);
      setJob(null);
    });
  useEffect(() => {
    if (!open) return;
    const timer = setTimeout(() => ask("GET", `/${job.id}`), 1500);
    return () => clearTimeout(timer);
  }, [job]);
  if (job?.url) {
    return html`<a class="button primary" href=${job.url} download>
      <${Icon} name="download" />${t("deletion.export")}
    </a>`;
  }
  return html`<${Action}
    label="export.begin"
    scopes=${["analyticsRead"]}
    icon="download"
    text=${open ? t("export.running") : job && t("export.again")}
    busy=${open}
    onClick=${() => ask("POST", "", { body: {}, once: true })}
  />`;
}
