"""How each product's file describes a link.

The files: YOURLS as CSV (its table, with or without heading) or JSON (API, action ``stats``);
Shlink as CSV (web client) or JSON (``GET /rest/v3/short-urls``); Kutt as JSON (``GET
/api/v2/links``) or CSV; Dub as CSV (its export) or JSON (``GET /links``); Bitly as JSON (``GET
/v4/groups/{guid}/bitlinks``) or CSV; ``csv`` as this command writes it, or any table with a
column of URLs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from unlink_client.cli.imports.tables import Row
from unlink_client.cli.link_files import TAG_SEPARATOR, UTM, split_tags

MAX_EXTERNAL_ID = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A link as a file describes it. ``refusal`` is the reason why it must not be imported."""

    url: str
    code: str = ""
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    external_id: str = ""
    expires_at: str = ""
    is_active: bool = True
    forward_query: bool = True
    ios_url: str = ""
    android_url: str = ""
    web_fallback_url: str = ""
    utm: dict[str, str] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A product: where its rows are in a file, and how to read them."""

    draft: Callable[[Values], Draft]
    without_heading: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


class Values:
    """The values of a row, by any of the names that a column may have."""

    def __init__(self, row: Row) -> None:
        self._values = {_plain(name): value for name, value in row.values.items()}

    def get(self, *names: str) -> Any:
        """The first value that exists and is not empty, else None."""
        for name in names:
            value = self._values.get(_plain(name))
            if value not in (None, "", [], {}):
                return value
        return None

    def text(self, *names: str) -> str:
        """The same as text without spaces around it, "" if there is none."""
        return self.exact(*names).strip()

    def exact(self, *names: str) -> str:
        """The same as text, unchanged."""
        value = self.get(*names)
        return "" if value is None or isinstance(value, list | dict) else str(value)

    def truth(self, *names: str, default: bool) -> bool:
        """The same as a truth value."""
        value = self.get(*names)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        return str(value).strip().lower() in ("1", "true", "yes", "t", "y")

    def tags(self, *names: str) -> tuple[str, ...]:
        """Tags, from a list of names or objects, or a cell with ``|``, ``;`` or ``,`` between."""
        value = self.get(*names)
        if isinstance(value, str):
            text = value.strip()
            if text.startswith("["):
                try:
                    value = json.loads(text)
                except ValueError:
                    value = None
            elif TAG_SEPARATOR in text or "\\" in text:
                value = split_tags(text)
            else:
                value = re.split(r"[;,]", text)
        items = value if isinstance(value, list) else []
        found = [each.get("name", "") if isinstance(each, dict) else each for each in items]
        return tuple(dict.fromkeys(str(each).strip() for each in found if str(each).strip()))

    def object(self, name: str) -> dict[str, Any]:
        """An object, also as the JSON of it in a cell; {} if it is none."""
        value = self.get(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        return value if isinstance(value, dict) else {}

    def digest(self) -> str:
        """A hash that is equal for equal rows."""
        text = json.dumps(self._values, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(name: str) -> str:
    """``Long URL``, ``long_url`` and ``longUrl`` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def code_of(url: str) -> str:
    """The short code in a short URL, ``https://bit.ly/abc`` or ``bit.ly/abc``; "" if none."""
    text = url.strip()
    try:
        return urlsplit(text if "://" in text else f"//{text}").path.strip("/")
    except ValueError:
        return ""


def _external_id(product: str, name: str, values: Values) -> str:
    """What finds the link in a second import: its name there, or the content of its row."""
    name = name or values.digest()
    text = f"{product}:{name}"
    if len(text) <= MAX_EXTERNAL_ID:
        return text
    return f"{product}:sha256:{hashlib.sha256(name.encode()).hexdigest()}"


_PROTECTED = "it has a password, which a link here cannot have"


def _yourls(values: Values) -> Draft:
    code = values.text("keyword") or code_of(values.text("shorturl"))
    title = values.text("title")
    return Draft(
        url=values.text("url", "longurl"),
        code=code,
        # What phpMyAdmin writes for a title that is not set.
        title="" if title == "NULL" else title,
        external_id=_external_id("yourls", code, values),
    )


def _shlink(values: Values) -> Draft:
    code = values.text("shortCode") or code_of(values.text("shortUrl"))
    meta = values.object("meta")
    refusal = ""
    if meta.get("maxVisits"):
        refusal = "it has a limit of visits, which a link here cannot have"
    return Draft(
        url=values.text("longUrl", "originalUrl"),
        code=code,
        title=values.text("title"),
        tags=values.tags("tags"),
        expires_at=str(meta.get("validUntil") or "") or values.text("validUntil"),
        forward_query=values.truth("forwardQuery", default=True),
        external_id=_external_id("shlink", code, values),
        refusal=refusal,
    )


def _kutt(values: Values) -> Draft:
    code = values.text("address") or code_of(values.text("link"))
    return Draft(
        url=values.text("target"),
        code=code,
        description=values.text("description"),
        expires_at=values.text("expire_in"),
        is_active=not values.truth("banned", default=False),
        external_id=_external_id("kutt", code, values),
        refusal=_PROTECTED if values.truth("password", default=False) else "",
    )


def _dub(values: Values) -> Draft:
    code = values.text("key", "slug") or code_of(values.text("shortLink", "link"))
    return Draft(
        url=values.text("url", "destination url", "long url"),
        code=code,
        title=values.text("title"),
        description=values.text("description", "comments"),
        tags=values.tags("tags", "tag"),
        expires_at=values.text("expiresAt", "expires at"),
        ios_url=values.text("ios"),
        android_url=values.text("android"),
        utm={name: text for name in UTM if (text := values.text(f"utm_{name}"))},
        external_id=values.text("externalId") or _external_id("dub", code, values),
        refusal=_PROTECTED if values.get("password") is not None else "",
    )


def _bitly(values: Values) -> Draft:
    # The custom back-half is the visible code; the id of a bitlink is the random one.
    custom = values.get("custom_bitlinks", "custom back-half", "custom back-halves", "custom link")
    if isinstance(custom, str):
        custom = re.split(r"[|;,\s]+", custom.strip(" []\"'"))
    custom = custom if isinstance(custom, list) else []
    first = next((str(each).strip(" \"'") for each in custom if str(each).strip()), "")
    own = values.text("id", "link", "bitlink", "short link", "short url")
    return Draft(
        url=values.text("long_url", "destination url", "destination"),
        code=code_of(first) if "/" in first else first or code_of(own),
        title=values.text("title"),
        tags=values.tags("tags"),
        expires_at=values.text("expiration_at"),
        external_id=_external_id("bitly", own.split("://")[-1] or first, values),
    )


def _csv(values: Values) -> Draft:
    code = values.text("shortCode", "code", "slug", "customCode", "alias", "keyword", "back-half")
    utm = values.object("utmParameters") or {name: values.exact(f"utm_{name}") for name in UTM}
    return Draft(
        url=values.text(
            "originalUrl", "url", "long url", "destination", "destination url", "target"
        ),
        code=code,
        title=values.exact("title", "name"),
        description=values.exact("description"),
        tags=values.tags("tags", "tag"),
        expires_at=values.text("expiresAt", "expires"),
        is_active=values.truth("isActive", "active", default=True),
        forward_query=values.truth("forwardQuery", default=True),
        ios_url=values.text("iosUrl"),
        android_url=values.text("androidUrl"),
        web_fallback_url=values.text("webFallbackUrl"),
        utm={name: str(text) for name, text in utm.items() if name in UTM and text},
        # A code identifies the link; without one, the content of the row does.
        external_id=values.exact("externalId") or ("" if code else f"csv:{values.digest()}"),
    )


SOURCES: dict[str, Source] = {
    "yourls": Source(
        draft=_yourls,
        without_heading=("keyword", "url", "title", "timestamp", "ip", "clicks"),
        inside=("links", "result"),
    ),
    "shlink": Source(draft=_shlink, inside=("shortUrls", "data")),
    "kutt": Source(draft=_kutt, inside=("data",)),
    "dub": Source(draft=_dub, inside=("links",)),
    "bitly": Source(draft=_bitly, inside=("links",)),
    "csv": Source(draft=_csv, inside=("links",)),
}


def drafts_of(source: Source, rows: Sequence[Row]) -> list[Draft | str]:
    """Each row as a draft, or why it could not be read."""
    return [row.fault or source.draft(Values(row)) for row in rows]
