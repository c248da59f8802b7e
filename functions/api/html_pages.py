"""The response where no link redirects: an HTML page for browsers, JSON for other clients."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from functions.api.security_headers import page_headers

if TYPE_CHECKING:
    from functions.domain.error_bodies import ErrorBody

_STYLE = """
body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 0; display: grid; place-items: center;
       min-height: 100vh; color: #1f2933; background: #f7f8fa; }
main { text-align: center; padding: 2rem; }
p { margin: .3rem; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{text}</p>
<p lang="ar" dir="rtl">{arabic}</p>
</main>
</body>
</html>
"""

_TEXTS = {
    404: {
        "title": "Link not found",
        "heading": "This link does not exist",
        "text": "It may have expired or been deleted, or it never existed.",
        "arabic": "هذا الرابط غير موجود",
    },
    405: {
        "title": "Method not allowed",
        "heading": "This address can only be opened",
        "text": "Nothing can be sent to it.",
        "arabic": "هذا العنوان للفتح فقط، ولا يمكن إرسال أي شيء إليه",
    },
    503: {
        "title": "Please try again in a moment",
        "heading": "This link cannot be opened right now",
        "text": "Please try again in a moment.",
        "arabic": "يرجى المحاولة مرة أخرى بعد لحظات",
    },
}

_HEADERS = page_headers(base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode())


def wants_page(headers: dict[str, str]) -> bool:
    """Whether the request is from a browser, judged by its headers (lower-case names)."""
    return "text/html" in headers.get("accept", "")


def page_or_json(headers: dict[str, str], status: int, body: ErrorBody) -> dict[str, Any]:
    """The HTML page of a status (404, 405 or 503) for browsers, ``body`` as JSON for other
    clients.
    """
    if wants_page(headers):
        content_type = "text/html; charset=utf-8"
        text = _PAGE.format(style=_STYLE, **_TEXTS[status])
    else:
        content_type = "application/json"
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return {
        "statusCode": status,
        "headers": _HEADERS | {"Cache-Control": "no-store", "Content-Type": content_type},
        "body": text,
    }
