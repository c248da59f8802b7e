/** Line icons on a grid of 24. They are decoration: the text next to them, or a label, says it. */

import { classes, html } from "./html.js";

/** @type {Record<string, string>} */
const PATHS = {
  links: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  deletions: "M9 5h9M9 12h9M9 19h9M4.5 5h.01M4.5 12h.01M4.5 19h.01",
  trash: "M4 7h16M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3",
  add: "M12 5v14M5 12h14",
  keys: "M15 9a4 4 0 1 0-3.5 4L13 14.5h2.5V17H18v2.5h3V17l-6-6",
  usage: "M4 20V10M10 20V4M16 20v-7M20 20H3",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 17h.01",
  out: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  print: "M7 9V4h10v5M7 17H4v-7h16v7h-3M7 14h10v6H7z",
};

/** Icons with a direction: they turn around with the page. */
const DIRECTED = ["deletions", "undo", "out", "help"];

/** @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class=${classes("icon", DIRECTED.includes(name) && "turns")} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}
