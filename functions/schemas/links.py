"""What callers send to create or change a link."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)

from functions.domain.app_links import app_url_fault, has_allowed_scheme
from functions.domain.clock import iso_moment
from functions.domain.error_texts import MAX_FAULTS
from functions.domain.errors import InvalidRequest
from functions.domain.hosts import checked_host, split_authority
from functions.domain.iris import character_fault
from functions.domain.short_codes import SHORT_CODE, is_reserved
from functions.domain.unicode_text import nfc
from functions.domain.uris import MAX_URL, is_web, split, to_uri
from functions.schemas.request_model import RequestModel, format_validation_errors

#: The key of the allowed app URL schemes in the validation context.
APP_SCHEMES = "appSchemes"

#: Earliest year of a timestamp in a request.
FIRST_YEAR = 1970

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

#: The immutable fields of a link.
IMMUTABLE = ("id", "shortCode", "customCode")

#: Links that one request may create under any plan.
MAX_CREATE = 1_000


def _web_address(value: str) -> str:
    """http or https with a host and without credentials; unchanged."""
    if fault := character_fault(value):
        raise ValueError(fault)
    parts = split(value)
    if parts is None:
        raise ValueError("not a URL")
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("only http and https URLs")
    if not parts.authority:
        raise ValueError("a URL needs a host")
    if "@" in parts.authority:
        raise ValueError("a URL must not carry credentials")
    host, _ = split_authority(parts.authority)
    checked_host(host)
    if len(to_uri(value)) > MAX_URL:
        raise ValueError(f"at most {MAX_URL:,} characters when percent-encoded")
    return value


def _app_address(value: str, info: ValidationInfo) -> str:
    """As :func:`_web_address`, or an app URL of a scheme that the workspace allows."""
    allowed: Collection[str] = (info.context or {}).get(APP_SCHEMES, ())
    if not has_allowed_scheme(value, allowed):
        parts = split(value)
        if parts is not None and not is_web(value):
            raise ValueError("only http, https and the schemes of the policy appSchemes")
        return _web_address(value)
    if fault := app_url_fault(value):
        raise ValueError(fault)
    if len(to_uri(value)) > MAX_URL:
        raise ValueError(f"at most {MAX_URL:,} characters when percent-encoded")
    return value


def _short_code(value: str) -> str:
    if not SHORT_CODE.fullmatch(value):
        raise ValueError("4 to 30 letters, digits, - and _")
    if is_reserved(value):
        raise ValueError("this code is reserved")
    return value


def _once(tags: list[str]) -> list[str]:
    """The tags in the order given, each once."""
    return list(dict.fromkeys(tags))


def _only_text(value: object) -> object:
    # Lax parsing would accept 1767225600 and "0.5" as timestamps too.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE.match(value)):
        raise ValueError("must be a date and a time as text, as in 2026-12-31T23:59:59Z")
    return value


def _moment(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("the timestamp must include a UTC offset, as in 2026-12-31T23:59:59Z")
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None
    if moment.year < FIRST_YEAR:
        raise ValueError(f"no earlier than {FIRST_YEAR}")
    return moment


# Constraints of validators are repeated in the schema, for the OpenAPI document.
WebAddress = Annotated[
    str,
    StringConstraints(min_length=8, max_length=MAX_URL),
    AfterValidator(_web_address),
    Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}),
]
AppAddress = Annotated[
    str,
    StringConstraints(min_length=3, max_length=MAX_URL),
    AfterValidator(_app_address),
    Field(
        json_schema_extra={
            "format": "uri",
            "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:",
            "description": "An http or https URL, or an app URL whose scheme the policy appSchemes "
            "of the workspace names.",
        }
    ),
]
ShortCode = Annotated[
    str,
    AfterValidator(_short_code),
    Field(json_schema_extra={"pattern": f"^{SHORT_CODE.pattern}$"}),
]
Moment = Annotated[
    datetime, Field(strict=False), BeforeValidator(_only_text), AfterValidator(_moment)
]
# Lengths are of the text as sent; normalization may change them.
Title = Annotated[str, StringConstraints(max_length=200), AfterValidator(nfc)]
Description = Annotated[str, StringConstraints(max_length=500)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(nfc)]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_once)]
Utm = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class UtmParameters(RequestModel):
    """Campaign parameters that a redirect adds to the destination."""

    source: Utm | None = None
    medium: Utm | None = None
    campaign: Utm | None = None
    term: Utm | None = None
    content: Utm | None = None


class LinkFields(RequestModel):
    """What is the same for a new link and for changes."""

    originalUrl: WebAddress
    title: Title | None = None
    description: Description | None = None
    iosUrl: AppAddress | None = None
    androidUrl: AppAddress | None = None
    webFallbackUrl: WebAddress | None = None
    utmParameters: UtmParameters | None = None
    externalId: ExternalId | None = None
    expiresAt: Moment | None = None
    forwardQuery: StrictBool = True
    isActive: StrictBool = True


class NewLink(LinkFields):
    """The body of ``POST /api/links``; ``customCode`` is another name of ``shortCode``."""

    shortCode: ShortCode | None = None
    customCode: ShortCode | None = None
    tags: Tags = Field(default=[])


def _without_defaults(schema: dict[str, Any]) -> None:
    for member in schema["properties"].values():
        del member["default"]


class LinkChanges(LinkFields):
    """The body of ``PUT /api/links/{id}``: given fields change, ``null`` clears."""

    # A field that is not given stays as it is.
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    originalUrl: WebAddress = ""
    tags: Tags | None = None


def parse_new_links(
    body: object, app_schemes: Collection[str] = (), *, maximum: int = MAX_CREATE
) -> list[NewLink]:
    """One object or an array of 1 to ``maximum``; raises ``InvalidRequest`` with all errors.

    ``app_schemes`` are those that the workspace allows.
    """
    many = body if isinstance(body, list) else [body]
    if not many:
        raise InvalidRequest("At least one link is required")
    if len(many) > maximum:
        raise InvalidRequest(f"At most {maximum} links in one request", limit=maximum)
    links: list[NewLink] = []
    faults: list[str] = []
    for position, given in enumerate(many):
        try:
            links.append(NewLink.model_validate(given, context={APP_SCHEMES: app_schemes}))
        except ValidationError as error:
            faults += format_validation_errors(
                error, f"{position}." if isinstance(body, list) else ""
            )
            if len(faults) >= MAX_FAULTS:
                break
    if faults:
        raise InvalidRequest(details=faults[:MAX_FAULTS])
    for link in links:
        if link.shortCode and link.customCode and link.shortCode != link.customCode:
            raise InvalidRequest("shortCode and customCode differ")
    return links


def parse_link_changes(body: object, app_schemes: Collection[str] = ()) -> dict[str, Any]:
    """The attributes to change, as they are stored; None for one to clear.

    ``app_schemes`` are those that the workspace allows. Raises ``InvalidRequest`` with all errors.
    """
    if isinstance(body, dict) and (fixed := [name for name in IMMUTABLE if name in body]):
        raise InvalidRequest(details=[f"{name}: cannot be changed" for name in fixed])
    changes = LinkChanges.parse(body, {APP_SCHEMES: app_schemes})
    return stored_fields(changes, sorted(changes.model_fields_set))


def stored_fields(link: LinkFields, names: Iterable[str]) -> dict[str, Any]:
    """The given fields as the link item stores them; None for a field that is not stored."""
    fields: dict[str, Any] = {}
    for name in names:
        value = getattr(link, name)
        if isinstance(value, datetime):
            value = iso_moment(value)
        elif isinstance(value, UtmParameters):
            value = value.model_dump(exclude_none=True) or None
        elif value == [] or (name == "forwardQuery" and value is True):
            # The default is not stored, which keeps links small.
            value = None
        fields[name] = value
    return fields
