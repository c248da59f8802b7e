"""Headers of responses that no function sends."""

#: A year, for this host only: the domain's other hosts are not part of this stack. Browsers ignore
#: it on plain HTTP (RFC 6797, section 8.1), so the local stack may send it too.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
