/** The clicks of a link: bars, and the same as tables. */

import { useState } from "preact/hooks";
import { useAnswer } from "./answer.js";
import { request } from "./api.js";
import { html } from "./html.js";
import { formatNumber, formatUtcDay, language, t } from "./i18n.js";
import { ErrorState } from "./states.js";

const PERIODS = [7, 30, 90, 365];

/** The lists that are shown: member of the answer, and the name of its values. */
const LISTS = [
  ["clicksByCountry", "country"],
  ["clicksByReferrer", "referrer"],
  ["clicksByDevice", "device"],
  ["clicksByPlatform", "platform"],
];

/** Values of a list that are shown. */
const MOST = 6;

/** @param {{ id: string }} props */
export function Analytics({ id }) {
  const [days, setDays] = useState(30);
  const { value: found, error, reload } = useAnswer(
    (signal) => request("GET", `/analytics/links/${id}`, { query: { days: String(days) }, signal }),
    [days],
  );
  return html`<div class="panel">
    <div class="page-head">
      <h2>${t("links.clicks")}</h2>
      <span class="grow"></span>
      <select
        class="short"
        aria-label=${t("analytics.period")}
        value=${days}
        onChange=${(/** @type {any} */ event) => setDays(Number(event.target.value))}
      >
        ${PERIODS.map((n) => html`<option key=${n} value=${n}>${t("analytics.days", { n })}</option>`)}
      </select>
    </div>
    ${error && html`<${ErrorState} error=${error} onRetry=${reload} />`}
    ${found &&
    html`<dl class="figures">
        ${["totalClicks", "uniqueClicks", "totalInstalls"].map(
          (name) => html`<div key=${name}>
            <dt>${t(`analytics.${name}`)}</dt>
            <dd>${formatNumber(found[name])}</dd>
          </div>`,
        )}
      </dl>
      <${Bars} days=${found.clicksByDate} />
      <div class="lists">
        ${LISTS.map(
          ([member, name]) => html`<${Top} key=${name} name=${name} values=${found[member]} />`,
        )}
      </div>`}
  </div>`;
}

/** @param {{ days: Array<{ date: string, clicks: number }> }} props */
function Bars({ days }) {
  const most = Math.max(1, ...days.map(({ clicks }) => clicks));
  const width = 600 / days.length;
  return html`<figure>
    <svg class="bars" viewBox="0 0 600 120" preserveAspectRatio="none" aria-hidden="true">
      ${days.map(({ date, clicks }, index) => {
        const height = (clicks / most) * 112;
        return html`<rect
          key=${date}
          x=${index * width + width * 0.1}
          y=${120 - height}
          width=${width * 0.8}
          height=${height}
        />`;
      })}
    </svg>
    <figcaption class="muted">
      <span>${formatUtcDay(days[0].date)}</span>
      <span>${t("analytics.most", { n: most })}</span>
      <span>${formatUtcDay(days[days.length - 1].date)}</span>
    </figcaption>
    <details>
      <summary>${t("analytics.table")}</summary>
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t("analytics.table")}>
        <table>
          <thead>
            <tr>
              <th scope="col">${t("analytics.day")}</th>
              <th scope="col" class="number">${t("links.clicks")}</th>
            </tr>
          </thead>
          <tbody>
            ${days.map(
              ({ date, clicks }) => html`<tr key=${date}>
                <td>${formatUtcDay(date)}</td>
                <td class="number">${formatNumber(clicks)}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`;
}

/** @param {{ name: string, values: Array<Record<string, any>> }} props */
function Top({ name, values }) {
  const most = Math.max(1, ...values.map(({ clicks }) => clicks));
  return html`<table class="top">
    <caption>${t(`analytics.${name}`)}</caption>
    <thead class="hidden">
      <tr>
        <th scope="col">${t(`analytics.${name}`)}</th>
        <th scope="col">${t("links.clicks")}</th>
      </tr>
    </thead>
    <tbody>
      ${values.slice(0, MOST).map(
        (value) => html`<tr key=${value[name]}>
          <td>
            <span class="share" style=${{ inlineSize: `${(value.clicks / most) * 100}%` }}></span>
            <bdi>${sliceName(name, value[name])}</bdi>
          </td>
          <td class="number">${formatNumber(value.clicks)}</td>
        </tr>`,
      )}
      ${values.length === 0 && html`<tr><td colspan="2" class="muted">${t("analytics.none")}</td></tr>`}
    </tbody>
  </table>`;
}

/** @param {string} name @param {string} value */
function sliceName(name, value) {
  if (value === "unknown") return t("analytics.unknown");
  if (name === "device") return t(`analytics.${value}`);
  if (name === "referrer" && value === "direct") return t("analytics.direct");
  if (name === "country" && /^[A-Z]{2}$/.test(value)) {
    return new Intl.DisplayNames(language.get(), { type: "region" }).of(value) ?? value;
  }
  return value;
}
