"""The web console: one page, and the files that it loads.

`infra/console.py` makes the files when the functions are packaged. Their addresses name the
release, a hash of all of them, so browsers may cache them without an expiry.
"""

from __future__ import annotations

import gzip
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from functions import container
from functions.api.static_content import IMMUTABLE, REVALIDATED, content_response

DIRECTORY = Path(__file__).parent.parent / "console"

_MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

_PAGE = """\
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>Unlink</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{styles}">
<script type="module" src="{script}"></script>
</head>
<body>
<div id="app" data-api="{api}" data-docs="{docs}" data-licences="{licences}"
  data-sign-in="{sign_in}" data-client="{client}"></div>
<noscript><p>The console needs JavaScript. The <a href="{docs}">API</a> does not.</p></noscript>
</body>
</html>
"""

#: What the page may load and do. `require-trusted-types-for` turns every use of a string as HTML
#: or as a script's address into an error.
#: It may also call where users sign in.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'{sign_in}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def console_page(event: dict[str, Any]) -> dict[str, Any]:
    """The page. Its addresses are relative: the API may be under a stage's name."""
    # One level higher if the requested path ends with a slash.
    base = "../" if event["requestContext"]["path"].endswith("/") else ""
    manifest = _manifest()
    sign_in = container.sign_in_url()

    def asset(name: str) -> str:
        return html.escape(f"{base}console/{name}?v={manifest['release']}")

    page = _PAGE.format(
        icon=asset("icon.svg"),
        styles=asset("console.css"),
        script=asset("console.js"),
        licences=asset("licences.txt"),
        api=f"{base}api",
        docs=f"{base}api/docs",
        sign_in=html.escape(sign_in),
        client=html.escape(container.sign_in_client()),
    )
    response = content_response(event, page.encode(), "text/html; charset=utf-8", REVALIDATED)
    response["headers"] |= {
        "Content-Security-Policy": _POLICY.format(sign_in=f" {sign_in}" if sign_in else ""),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return response


def console_asset(event: dict[str, Any]) -> dict[str, Any] | None:
    """A file of the console, or None when there is none of this name."""
    name = (event.get("pathParameters") or {}).get("asset", "")
    files = _files()
    if name not in files:
        return None
    known = (event.get("queryStringParameters") or {}).get("v") == _manifest()["release"]
    caching = IMMUTABLE if known else REVALIDATED
    packed = files[name]
    media_type = _MEDIA_TYPES[Path(name).suffix]
    return content_response(event, gzip.decompress(packed), media_type, caching, packed=packed)


@cache
def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((DIRECTORY / "manifest.json").read_bytes())
    return manifest


@cache
def _files() -> dict[str, bytes]:
    """The files by name, with gzip, as they were packaged."""
    return {path.stem: path.read_bytes() for path in DIRECTORY.glob("*.gz")}
