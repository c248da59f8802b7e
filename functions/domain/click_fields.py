"""The values that a click keeps of its request: parsed, checked and bounded in bytes.

Headers are untrusted. In an export they must not harm a terminal or a spreadsheet, and they must
fit the item. Text has no control characters, does not start like a formula, and is cut at a number
of bytes. Invalid addresses and places are dropped.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from functions.deferred_imports import late_pattern

#: Maximum lengths in bytes of UTF-8: user agent and referrer, city, campaign parameter.
MAX_USER_AGENT = 500
MAX_REFERRER = 500
MAX_CITY = 100
MAX_CAMPAIGN = 400

#: The header that proves that CloudFront sent a request (``infra/cdn.py``).
ORIGIN_HEADER = "x-unlink-origin"

#: Controls (C0, C1), line and paragraph separators, bidirectional overrides, lone surrogates.
UNSAFE = late_pattern("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

#: Characters that start a formula in a spreadsheet (OWASP, "CSV Injection").
_FORMULA = "=+-@ \t"

_HOST = late_pattern(r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_APP = late_pattern(r"[A-Za-z0-9._]{1,200}")

#: The part of an ISO 3166-2 code after the country: one to three letters or digits.
_SUBDIVISION = late_pattern(r"[A-Z0-9]{1,3}")

#: ISO 3166-1 alpha-2, and XK, which geolocation databases use for Kosovo (a user-assigned code).
_COUNTRY_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ"
    " BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM"
    " DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS"
    " GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN"
    " KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ"
    " MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM"
    " PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV"
    " SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI"
    " VN VU WF WS XK YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_COUNTRY_CODES.split())


def clean_text(value: str | None, maximum: int) -> str | None:
    """``value`` without unsafe characters or a formula's start, at most ``maximum`` bytes of UTF-8.

    None when nothing is left.
    """
    if not value:
        return None
    # More is not needed: each character is at least one byte.
    text = value[: 2 * maximum]
    if not text.isprintable():
        text = UNSAFE.sub("", text)
    text = text.lstrip(_FORMULA).rstrip()
    if len(encoded := text.encode()) > maximum:
        text = encoded[:maximum].decode(errors="ignore")
    return text or None


def referrer_of(value: str | None) -> str | None:
    """Origin and path of a ``Referer``; None if it is not the URL of a page or an app.

    Credentials, query and fragment are dropped, because they may contain tokens.
    """
    if not value:
        return None
    try:
        parts = urlsplit(value[: 8 * MAX_REFERRER])
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return None
    if scheme == "android-app":
        # The package of an app: android-app://com.google.android.gm/
        return f"{scheme}://{parts.netloc}/" if _APP.fullmatch(parts.netloc) else None
    if scheme not in ("http", "https") or not host:
        return None
    if not host.isascii():
        return None
    name = f"[{host}]" if ":" in host else host
    if _HOST.fullmatch(name) is None:
        return None
    origin = f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"
    path = quote(parts.path or "/", safe="/%!$&'()*+,;=:@", errors="replace")
    return f"{origin}{path}"[:MAX_REFERRER]


def from_distribution(headers: Mapping[str, str], secret: str) -> bool:
    """Whether CloudFront sent this request, proved by a shared secret.

    ``secret`` is empty if the stack has no distribution; then no viewer header is trusted.
    """
    given = headers.get(ORIGIN_HEADER, "")
    return bool(secret) and hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def address_of(headers: Mapping[str, str], source_ip: str | None, *, trusted: bool) -> str | None:
    """The visitor's IP address in its canonical form; None if it is invalid.

    From ``CloudFront-Viewer-Address`` (``address:port``, IPv6 without brackets) when the request is
    ``trusted`` to come from CloudFront, else the address that the gateway saw.
    """
    if trusted:
        address, _, port = headers.get("cloudfront-viewer-address", "").rpartition(":")
        if port.isdigit() and (parsed := _address(address.strip("[]"))) is not None:
            return parsed
    return _address(source_ip)


def place_of(headers: Mapping[str, str], *, trusted: bool) -> dict[str, str | None]:
    """Country, region, city and time zone from CloudFront's viewer headers (lower-case names).

    CloudFront adds them if its origin request policy includes them (Developer Guide, "Add
    CloudFront request headers"). Any client can send such headers, so all four are None unless the
    request is ``trusted`` to come from CloudFront. A region is a whole ISO 3166-2 code.
    """
    if not trusted:
        return {"countryCode": None, "region": None, "city": None, "timezone": None}
    country = headers.get("cloudfront-viewer-country", "")
    subdivision = headers.get("cloudfront-viewer-country-region", "")
    known = country in COUNTRIES
    return {
        "countryCode": country if known else None,
        "region": f"{country}-{subdivision}"
        if known and _SUBDIVISION.fullmatch(subdivision)
        else None,
        "city": clean_text(headers.get("cloudfront-viewer-city"), MAX_CITY),
        "timezone": _zone(headers.get("cloudfront-viewer-time-zone", "")),
    }


def _address(value: str | None) -> str | None:
    # The zone of a scoped IPv6 address may be any text.
    if not value or "%" in value:
        return None
    if _is_ipv4(value):
        return value
    # Imported here: most visitors have an IPv4 address.
    import ipaddress

    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _is_ipv4(value: str) -> bool:
    """Whether it is an IPv4 address, which has one form only.

    `ipaddress` takes ten times as long.
    """
    try:
        socket.inet_pton(socket.AF_INET, value)
    except (OSError, ValueError):
        return False
    return True


def _zone(value: str) -> str | None:
    if not value:
        return None
    # Imported here: without a distribution no request needs the list.
    from functions.domain.time_zones import ZONES

    return value if value in ZONES else None
