"""The spelling of short codes."""

from __future__ import annotations

import re

#: 4 to 30 letters, digits, ``-`` and ``_``; case-sensitive.
SHORT_CODE = re.compile(r"[A-Za-z0-9_-]{4,30}")

#: Codes that would shadow a route or look as if the service itself were speaking, in any case.
RESERVED_CODES = frozenset(
    {
        "admin",
        "analytics",
        "assets",
        "auth",
        "bulk-delete",
        "console",
        "dashboard",
        "docs",
        "favicon",
        "health",
        "help",
        "installs",
        "legal",
        "links",
        "login",
        "logout",
        "openapi",
        "privacy",
        "robots",
        "security",
        "signin",
        "signup",
        "sitemap",
        "static",
        "status",
        "support",
        "swagger",
        "terms",
        "unlink",
        "well-known",
    }
)


def is_reserved(code: str) -> bool:
    """Whether nobody may have this code."""
    return code.lower() in RESERVED_CODES
