"""Headers of responses that no function sends."""

#: A year, for this host alone: what else the domain serves is not this stack's to decide. Browsers
#: ignore it on plain HTTP (RFC 6797, section 8.1), so the local stack may send it too.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
