/** A table that renders only the rows in view, moved through with the keyboard. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { classes, html } from "./html.js";
import { t } from "./i18n.js";
import { latinKey } from "./keyboard.js";

/** Rows rendered before and after those in view. */
const OVERSCAN = 6;

/** Rows from the end at which more are asked for. */
const NEAR_END = 200;

/**
 * @typedef {object} GridProps
 * @property {string} label what the table holds
 * @property {string} kind the name of its column layout in the style sheet
 * @property {Array<{ name: string, label: string }>} columns
 * @property {number} count rows that are known
 * @property {(index: number) => any[]} cells the content of a row, one for each column
 * @property {(index: number) => boolean} isSelected
 * @property {(index: number, range: boolean) => void} [onToggle]
 * @property {() => void} [onToggleAll]
 * @property {boolean} [allSelected]
 * @property {(index: number) => void} [onOpen]
 * @property {() => void} [onNearEnd]
 */

/** @param {GridProps} props */
export function Grid(props) {
  const { label, kind, columns, count, cells, isSelected, onToggle, onToggleAll } = props;
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [rowHeight, setRowHeight] = useState(52);
  const [first, setFirst] = useState(0);
  const [visible, setVisible] = useState(30);
  const [active, setActive] = useState(0);
  const current = Math.min(active, Math.max(0, count - 1));

  useLayoutEffect(() => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    const measure = () => {
      const height = parseFloat(getComputedStyle(element).getPropertyValue("--row-height"));
      setRowHeight(height);
      setVisible(Math.ceil(element.clientHeight / height));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const from = Math.max(0, first - OVERSCAN);
  const to = Math.min(count, first + visible + OVERSCAN);

  useEffect(() => {
    if (to > count - NEAR_END) props.onNearEnd?.();
  }, [to, count]);

  function onScroll() {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    setFirst(Math.floor(element.scrollTop / rowHeight));
  }

  /** @param {number} wanted */
  function moveTo(wanted) {
    const index = Math.max(0, Math.min(count - 1, wanted));
    setActive(index);
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    const top = index * rowHeight;
    const room = element.clientHeight - rowHeight * 2;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
    return index;
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (count === 0) return;
    const page = Math.max(1, visible - 2);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count };
    const key = latinKey(event);
    const step = key === "End" ? count : steps[key];
    if (step !== undefined) {
      const index = moveTo(current + step);
      if (event.shiftKey) onToggle?.(index, true);
    } else if (key === " " || key === "x") {
      onToggle?.(current, event.shiftKey);
    } else if (key === "a" && (event.ctrlKey || event.metaKey)) {
      onToggleAll?.();
    } else if (key === "Enter" && event.target === scroller.current) {
      props.onOpen?.(current);
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * @param {MouseEvent} event
   * @param {number} index
   */
  function onClick(event, index) {
    setActive(index);
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("a, button")) return;
    if (event.shiftKey) getSelection()?.removeAllRanges();
    onToggle?.(index, event.shiftKey);
  }

  const rows = [];
  for (let index = from; index < to; index++) {
    rows.push(html`<div
      key=${index}
      id=${`row-${index}`}
      role="row"
      aria-rowindex=${index + 2}
      aria-selected=${onToggle ? isSelected(index) : null}
      class=${classes("row", isSelected(index) && "selected", index === current && "active")}
      style=${{ insetBlockStart: `${index * rowHeight}px` }}
      onClick=${(/** @type {MouseEvent} */ event) => onClick(event, index)}
    >
      ${onToggle && html`<div role="gridcell" class="cell-check"><span class="check" aria-hidden="true"></span></div>`}
      ${cells(index).map(
        (content, column) =>
          html`<div key=${column} role="gridcell" class=${`cell-${columns[column].name}`}>${content}</div>`,
      )}
    </div>`);
  }
  const activeShown = current >= from && current < to && count > 0;
  return html`<div
    ref=${scroller}
    class=${`grid ${kind}`}
    style=${{ maxBlockSize: count ? `${(count + 1) * rowHeight}px` : null }}
    role="grid"
    aria-label=${label}
    aria-rowcount=${count + 1}
    aria-multiselectable=${onToggle ? true : null}
    aria-activedescendant=${activeShown ? `row-${current}` : null}
    tabindex="0"
    onScroll=${onScroll}
    onKeyDown=${onKeyDown}
  >
    <div role="rowgroup" class="grid-head">
      <div role="row" aria-rowindex="1" class="row">
        ${onToggle &&
        html`<div role="columnheader" class="cell-check">
          <button
            class="plain check-button"
            tabindex="-1"
            aria-label=${t("links.selectLoaded")}
            aria-pressed=${Boolean(props.allSelected)}
            onClick=${onToggleAll}
          >
            <span class=${classes("check", props.allSelected && "on")} aria-hidden="true"></span>
          </button>
        </div>`}
        ${columns.map(
          (column) =>
            html`<div key=${column.name} role="columnheader" class=${`cell-${column.name}`}>
              ${column.label}
            </div>`,
        )}
      </div>
    </div>
    <div role="rowgroup" class="grid-body" style=${{ blockSize: `${count * rowHeight}px` }}>
      ${rows}
    </div>
  </div>`;
}
