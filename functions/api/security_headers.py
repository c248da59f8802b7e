"""Headers that tell browsers what an answer may do."""

from __future__ import annotations

#: On every answer of the service. A year, for this host alone; browsers ignore it on plain HTTP
#: (RFC 6797, section 8.1). `infra/http_headers.py` has it for the answers of no function.
TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}

#: A redirect shows nothing. The destination learns the referring page's origin, as it would without
#: a header; not its path or query.
REDIRECT = TRANSPORT | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page_headers(style_hash: str) -> dict[str, str]:
    """For a page with one inline style, given the base64 SHA-256 of its text, and nothing else."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return TRANSPORT | {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
