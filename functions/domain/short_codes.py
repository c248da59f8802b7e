"""The syntax of short codes, and the codes that are reserved."""

from __future__ import annotations

import re

#: 4 to 30 letters, digits, ``-`` and ``_``; case-sensitive.
SHORT_CODE = re.compile(r"[A-Za-z0-9_-]{4,30}")

#: Paths of this service, and names that would look like official pages.
_SERVICE = """
    account admin analytics assets auth billing bulk-delete console dashboard deletions docs graphql
    health healthcheck healthz help installs legal links livez login logout metrics oauth openapi
    password privacy readyz register security signin signup static status support swagger terms
    unlink webhooks
"""

#: Paths that API Gateway answers itself for its health checks (Developer Guide, "Amazon API Gateway
#: important notes": ``/ping`` and ``/sping``).
_GATEWAY = "ping sping"

#: Files and paths that browsers, crawlers and platforms request automatically (RFC 8615, the lists
#: of Apple, Android and WordPress). A link with such a code would get automatic requests only.
_REQUESTED = """
    ads app-ads apple-app-site-association apple-touch-icon apple-touch-icon-precomposed assetlinks
    browserconfig change-password clientaccesspolicy crossdomain favicon humans index llms manifest
    opensearch robots service-worker site sitemap well-known wp-admin wp-content wp-includes wp-json
    wp-login xmlrpc
"""

#: Texts that programs write for a missing or unconverted value.
_VALUES = "false inf infinity nan nil none null object-object true undefined void"

#: Compared without case, with ``_`` equal to ``-``, and without an extension: see `is_reserved`.
RESERVED_CODES = frozenset(f"{_SERVICE} {_GATEWAY} {_REQUESTED} {_VALUES}".split())

#: Extensions of the files above, as people write them in a code, which has no dots.
_EXTENSION = re.compile(r"-(?:css|html|ico|js|json|php|png|svg|txt|webmanifest|xml)\Z")


def is_reserved(code: str) -> bool:
    """Whether this code is reserved.

    ``Favicon``, ``favicon-ico`` and ``FAVICON_ICO`` are reserved like ``favicon``.
    """
    name = code.lower().replace("_", "-").strip("-")
    return name in RESERVED_CODES or _EXTENSION.sub("", name) in RESERVED_CODES
