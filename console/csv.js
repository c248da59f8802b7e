/** Links from pasted text or a CSV file: one URL a line, or a table with a header. */

/** @typedef {{ number: number, link: Record<string, any>, problem: string }} Row */

/**
 * The fields of links, each with other names of its column, in lower case and without separators:
 * those of `unlinkctl import csv`, in addition to `utm_source` and so on.
 */
const COLUMNS = [
  "originalUrl url longurl destination destinationurl target",
  "shortCode customcode code keyword slug alias backhalf",
  "title name",
  "tags tag",
  "expiresAt expires",
  "isActive active",
  ..."description externalId forwardQuery iosUrl androidUrl webFallbackUrl".split(" "),
];

/**
 * The rows with their links; `problem` is the key of a text, or "".
 * @param {string} text
 * @returns {Row[]}
 */
export function parseLinks(text) {
  const content = text.replace(/^\uFEFF/, "");
  const [header, ...rows] = parseTable(content, separatorOf(content));
  const columns = header?.cells.map(fieldOf) ?? [];
  const hasHeader = columns.includes("originalUrl");
  // Without a header a line is one URL, which may contain any separator.
  const fields = hasHeader ? columns : ["originalUrl"];
  const seen = new Set();
  return (hasHeader ? rows : parseTable(content)).map(({ number, cells }) => {
    /** @type {Record<string, any>} */
    const link = {};
    fields.forEach((field, column) => {
      const value = cells[column]?.trim();
      if (!field || !value) return;
      const [, parameter] = field.split("utm");
      if (parameter) link.utmParameters = { ...link.utmParameters, [parameter]: value };
      else if (field === "tags") link.tags = value.split(/[,;|،]/).map((tag) => tag.trim()).filter(Boolean);
      else if (/^is|^forward/.test(field)) link[field] = /^(1|t|y|true|yes)$/i.test(value);
      else link[field] = value;
    });
    return { number, link, problem: problemOf(link, seen) };
  });
}

/** @param {string} name */
function fieldOf(name) {
  const plain = name.toLowerCase().replace(/[\s_-]/g, "");
  if (/^utm(source|medium|campaign|term|content)$/.test(plain)) return plain;
  const names = COLUMNS.find((each) => each.toLowerCase().split(" ").includes(plain));
  return names?.split(" ")[0];
}

/** @param {Record<string, any>} link @param {Set<string>} seen */
function problemOf(link, seen) {
  if (!/^https?:\/\/[^/]/i.test(link.originalUrl ?? "") || !URL.canParse(link.originalUrl)) {
    return "import.badUrl";
  }
  if (link.shortCode && !/^[A-Za-z0-9_-]{4,30}$/.test(link.shortCode)) return "import.badCode";
  for (const name of ["shortCode", "externalId"]) {
    const key = `${name} ${link[name]}`;
    if (link[name] && seen.has(key)) return "import.twice";
    seen.add(key);
  }
  return "";
}

/** What the first line has most of; undefined if it is one cell. @param {string} text */
function separatorOf(text) {
  const unquoted = text.split("\n", 1)[0].replace(/"[^"]*"/g, "");
  const times = (/** @type {string} */ separator) => unquoted.split(separator).length;
  return [",", ";", "\t"].filter((each) => times(each) > 1).sort((a, b) => times(b) - times(a))[0];
}

/**
 * RFC 4180.
 * @param {string} text
 * @param {string} [separator] without one, a line is a cell
 */
function parseTable(text, separator) {
  /** @type {Array<{ number: number, cells: string[] }>} */
  const rows = [];
  let cells = [""];
  let quoted = false;
  let line = 1;
  let number = 1;
  const end = () => {
    if (cells.some((cell) => cell.trim())) rows.push({ number, cells });
    cells = [""];
    number = line;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    const last = cells.length - 1;
    if (character === "\n") line++;
    if (quoted) {
      if (character !== '"') cells[last] += character;
      else if (text[at + 1] === '"') cells[last] += text[++at];
      else quoted = false;
    } else if (character === '"' && cells[last].trim() === "") {
      cells[last] = "";
      quoted = true;
    } else if (character === separator) cells.push("");
    else if (character === "\n") end();
    else if (character !== "\r") cells[last] += character;
  }
  end();
  return rows;
}
