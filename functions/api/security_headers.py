"""Security headers."""

from __future__ import annotations

#: On every response of the service. A year, for this host alone; browsers ignore it on plain HTTP
#: (RFC 6797, section 8.1). `infra/http_headers.py` sets it on the gateway's own responses.
TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}

#: A redirect has no content. The destination sees the origin of the referring page, as browsers do
#: by default, but not its path or query.
REDIRECT = TRANSPORT | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page_headers(style_hash: str) -> dict[str, str]:
    """Content-Security-Policy for a page with one inline style and nothing else, given the base64
    SHA-256 of the style.
    """
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return REDIRECT | {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
