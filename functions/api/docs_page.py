"""The API's documentation: the OpenAPI document, and a page to read it and try the API."""

from __future__ import annotations

import html
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functions.api.client_wheel import client_wheel
from functions.api.response import to_json
from functions.api.static_content import (
    IMMUTABLE,
    REVALIDATED,
    content_response,
    tag_of,
)
from functions.domain.urls import api_base
from functions.powertools import PACKAGE_PATH

DOCUMENT = Path(__file__).parent / "openapi.json"

#: Swagger UI (Apache-2.0) from Powertools, so nothing else is pinned or packed.
SWAGGER_UI = PACKAGE_PATH / "event_handler/openapi/swagger_ui"

#: Documents that a process caches: one for each base URL.
REMEMBERED = 16

#: The page's own script. URLs are relative, because the page may be under a stage's name.
START = """\
"use strict";

// Swagger UI would parse the whole document again for each operation that is opened, which takes
// seconds. All references of the document are within it.
async function resolveSubtree(document, path) {
  const member = (value, key) => value?.[key];
  function resolved(value, within) {
    if (Array.isArray(value)) return value.map((item) => resolved(item, within));
    if (value === null || typeof value !== "object") return value;
    const { $ref: reference, ...own } = value;
    if (!reference?.startsWith?.("#/") || within.includes(reference)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [key, resolved(each, within)]));
    }
    const target = reference.slice(2).split("/").reduce(member, document);
    return {
      ...resolved(target, [...within, reference]),
      // The name of the schema on the page.
      $$ref: reference,
      ...resolved(own, within),
    };
  }
  return { spec: resolved(path.reduce(member, document), []), errors: [] };
}

window.addEventListener("load", () => {
  const page = document.getElementById("swagger-ui");
  window.ui = SwaggerUIBundle({
    url: page.dataset.document,
    domNode: page,
    deepLinking: true,
    displayRequestDuration: true,
    // The badge of a validator elsewhere would tell it who reads this.
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [{ fn: { resolveSubtree } }],
    layout: "BaseLayout",
  });

  // What Swagger UI leaves out for those who do not see the page or use no pointer.
  function complete() {
    const each = (selector, change) => page.querySelectorAll(selector).forEach(change);
    each("select:not([aria-label])", (select) => {
      const row = select.closest("[data-param-name]");
      select.setAttribute("aria-label", row ? row.dataset.paramName : "Example or media type");
    });
    // A link within a button is never reached; the address bar has the same address.
    each("button a[href]", (link) => link.removeAttribute("href"));
    // A region without a name does not help, and the role hides that this is a table.
    each("table[role=region]", (table) => table.removeAttribute("role"));
    each("pre:not([tabindex])", (block) => { block.tabIndex = 0; });
    let level = 0;
    each("h1, h2, h3, h4, h5, h6", (heading) => {
      level = Math.min(Number(heading.tagName[1]), level + 1);
      if (heading.ariaLevel !== String(level)) heading.ariaLevel = level;
    });
  }
  let timer = 0;
  new MutationObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(complete, 100);
  }).observe(page, { childList: true, subtree: true });
});
"""

#: Added to Swagger UI's styles, where its colours have too little contrast (WCAG 2, 1.4.3).
STYLES = """
.swagger-ui .info .title small, .swagger-ui .info .title small.version-stamp {
  background: #3c6300;
}
.swagger-ui .info a, .swagger-ui .info .url, .swagger-ui a.nostyle.link, .swagger-ui .link {
  color: #1a5fb4;
}
.swagger-ui .btn.authorize { color: #176b45; border-color: #176b45; }
.swagger-ui .btn.authorize svg { fill: #176b45; }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1a5fb4; }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #1b7045; }
.swagger-ui .opblock.opblock-put .opblock-summary-method { background: #8f4a00; }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #b81414; }
.swagger-ui .opblock.opblock-head .opblock-summary-method { background: #7a0bd6; }
.swagger-ui .parameter__in, .swagger-ui .prop-format { color: #555; }
.swagger-ui .renderedMarkdown code, .swagger-ui .markdown code { color: #5b0bb0; }
.swagger-ui .json-schema-2020-12-expand-deep-button,
.swagger-ui .json-schema-2020-12-keyword--description,
.swagger-ui .json-schema-2020-12-keyword__name--secondary,
.swagger-ui .json-schema-2020-12-keyword__value,
.swagger-ui .json-schema-2020-12-json-viewer__name--secondary,
.swagger-ui .json-schema-2020-12-json-viewer__value { color: #555; }
.swagger-ui .opblock-body .microlight, .swagger-ui .opblock-body .microlight > code {
  background: #151515 !important;
}
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Unlink API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{styles}">
<script src="{swagger}" defer></script>
<script src="{start}" defer></script>
</head>
<body>
<main id="swagger-ui" data-document="{document}"></main>
<noscript><p>This page needs JavaScript; <a href="{document}">the document itself</a> does not.</p>
</noscript>
</body>
</html>
"""


def api_document(event: dict[str, Any]) -> dict[str, Any]:
    return content_response(event, _document_for(api_base(event)), "application/json", REVALIDATED)


def docs_page(event: dict[str, Any]) -> dict[str, Any]:
    # Relative, because the browser's URL may differ from the one that arrives here. One level
    # higher if the URL has a trailing slash.
    within_api = "../" if event["requestContext"]["path"].endswith("/") else ""
    addresses = {
        name: f"{within_api}docs/{asset}?v={tag_of(_asset_bytes(asset))[:12]}"
        for name, asset in (
            ("styles", "swagger-ui.css"),
            ("swagger", "swagger-ui.js"),
            ("start", "start.js"),
        )
    }
    page = PAGE.format(document=html.escape(f"{within_api}openapi.json"), **addresses)
    response = content_response(event, page.encode(), "text/html; charset=utf-8", REVALIDATED)
    response["headers"] |= {
        "Content-Security-Policy": _policy(api_base(event)),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return response


def docs_asset(event: dict[str, Any]) -> dict[str, Any] | None:
    """A file of the page; None for an unknown name."""
    name = (event.get("pathParameters") or {}).get("asset", "")
    if name not in _ASSETS:
        return client_wheel(event, name)
    known = (event.get("queryStringParameters") or {}).get("v") == tag_of(_asset_bytes(name))[:12]
    return content_response(
        event, _asset_bytes(name), _ASSETS[name], IMMUTABLE if known else REVALIDATED
    )


_ASSETS = {
    "swagger-ui.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}

_FILES = {
    "swagger-ui.js": SWAGGER_UI / "swagger-ui-bundle.min.js",
    "swagger-ui.css": SWAGGER_UI / "swagger-ui.min.css",
}


@cache
def _asset_bytes(name: str) -> bytes:
    if name not in _FILES:
        return START.encode()
    content = _FILES[name].read_bytes()
    return content + STYLES.encode() if name.endswith(".css") else content


@lru_cache(REMEMBERED)
def _document_for(base_url: str) -> bytes:
    """The document with the requested base URL as its server."""
    document = json.loads(DOCUMENT.read_bytes())
    document["servers"] = [{"url": base_url}]
    return to_json(document).encode()


def _policy(base_url: str) -> str:
    """The page's Content-Security-Policy: its own files and the API."""
    parts = urlsplit(base_url)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            f"connect-src 'self' {parts.scheme}://{parts.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
