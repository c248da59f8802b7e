"""The methods that each route of the API answers (RFC 9110, section 10.2.1, ``Allow``)."""

from __future__ import annotations

#: By the gateway's resource. HEAD is allowed wherever GET is; OPTIONS is the preflight.
ALLOWED_METHODS = {
    "/": ("GET", "HEAD"),
    "/.well-known/jwks.json": ("GET", "HEAD"),
    "/{code}": ("GET", "HEAD"),
    "/api/analytics/links/{id}": ("GET", "HEAD", "OPTIONS"),
    "/api/analytics/links/{id}/export": ("POST", "OPTIONS"),
    "/api/analytics/links/{id}/export/{exportId}": ("GET", "HEAD", "OPTIONS"),
    "/api/deletions": ("GET", "HEAD", "POST", "OPTIONS"),
    "/api/deletions/{id}": ("GET", "HEAD", "OPTIONS"),
    "/api/deletions/{id}/restore": ("POST", "OPTIONS"),
    "/api/docs": ("GET", "HEAD", "OPTIONS"),
    "/api/docs/{asset}": ("GET", "HEAD", "OPTIONS"),
    "/api/installs": ("POST", "OPTIONS"),
    "/api/keys": ("GET", "HEAD", "POST", "OPTIONS"),
    "/api/keys/{id}": ("DELETE", "OPTIONS"),
    "/api/links": ("GET", "HEAD", "POST", "DELETE", "OPTIONS"),
    "/api/links/bulk-delete": ("POST", "OPTIONS"),
    "/api/links/{id}": ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"),
    "/api/links/{id}/qr": ("GET", "HEAD", "OPTIONS"),
    "/api/me": ("GET", "HEAD", "OPTIONS"),
    "/api/openapi.json": ("GET", "HEAD", "OPTIONS"),
    "/api/receipts/{id}": ("GET", "HEAD", "OPTIONS"),
    "/api/trash": ("GET", "HEAD", "OPTIONS"),
    "/console": ("GET", "HEAD"),
    "/console/{asset}": ("GET", "HEAD"),
}
