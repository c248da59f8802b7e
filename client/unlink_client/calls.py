"""One request and its response, without any network: built and read by pure functions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote, urlsplit

from unlink_client.decoding import camel
from unlink_client.errors import InvalidSettings, UnexpectedResponse, UnlinkError, error_of

T = TypeVar("T")

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


#: An argument that was not given, where None means to clear a field.
UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response: ``headers`` by lower-case name, the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request; ``read`` converts the response into a value.

    Without an ``idempotency_key`` the client generates one for an idempotent route, so that a
    request whose response was lost can be repeated.
    """

    method: Method
    path: str
    read: Callable[[Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = UNSET
    idempotency_key: str | None = None
    needs_key: bool = True

    @property
    def idempotent(self) -> bool:
        """Whether the route takes an Idempotency-Key."""
        return self.method in ("POST", "DELETE")

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does nothing twice."""
        return self.method in ("GET", "PUT") or self.idempotency_key is not None


def segment(text: str) -> str:
    """An id or short code as a part of a path; raises ``UnlinkError`` for one that cannot be."""
    try:
        quoted = quote(text, safe="")
    except UnicodeEncodeError:
        quoted = ""
    if quoted in ("", ".", ".."):
        # The path would be that of another resource.
        raise UnlinkError(f"Not an id or short code: {text!r}")
    return quoted


def base_url_of(text: str) -> str:
    """The URL of a service without a slash at its end; raises ``InvalidSettings``."""
    address = text.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise InvalidSettings(f"Not a URL: {text!r}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSettings(
            f"The URL of the service must begin with http:// or https://, got {text!r}"
        )
    if parts.query or parts.fragment or parts.username is not None:
        raise InvalidSettings("The URL of the service must not have a query, fragment or user name")
    return address.removesuffix("/api")


def key_of(text: str) -> str:
    """An API key as a header can hold it; raises ``InvalidSettings`` without repeating it."""
    key = text.strip()
    if not key:
        raise InvalidSettings("The API key is empty")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidSettings("The API key contains invalid characters; was it copied completely?")
    return key


def headers_of(call: Call[Any], key: str | None, user_agent: str) -> dict[str, str]:
    """The headers of a request."""
    headers = {"Accept": "application/json", "User-Agent": user_agent}
    if key is not None and call.needs_key:
        headers["Authorization"] = f"Bearer {key}"
    if call.body is not UNSET:
        headers["Content-Type"] = "application/json"
    if call.idempotency_key is not None:
        headers["Idempotency-Key"] = call.idempotency_key
    return headers


def content_of(call: Call[Any]) -> bytes | None:
    """The body of a request."""
    if call.body is UNSET:
        return None
    return json.dumps(call.body, ensure_ascii=False, separators=(",", ":")).encode()


def result_of(call: Call[T], response: Response) -> T:
    """What a response means: a value, or an error of :mod:`unlink_client.errors`."""
    if 200 <= response.status < 300:
        return call.read(response)
    if 300 <= response.status < 400:
        raise UnexpectedResponse(
            f"{call.method} {call.path} was redirected to {response.headers.get('location', '?')}. "
            "Is the URL that of an Unlink service?"
        )
    raise error_of(
        response.status,
        response.json(),
        headers=response.headers,
        method=call.method,
        path=call.path,
    )


def json_of(response: Response) -> Any:
    """The body of a successful response; raises ``UnexpectedResponse`` if it is not JSON."""
    value = response.json()
    if value is None:
        raise UnexpectedResponse("The response is not JSON. Is the URL that of an Unlink service?")
    return value


def to_json(value: Any) -> Any:
    """A value as the API's JSON: dataclasses as objects in camel case, timestamps in UTC."""
    if isinstance(value, datetime):
        return moment_text(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            camel(each.name): to_json(getattr(value, each.name))
            for each in dataclasses.fields(value)
            if not each.name.startswith("_")
        }
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, dict):
        return {name: to_json(each) for name, each in value.items()}
    return value


def moment_text(value: datetime) -> str:
    """A timestamp in the API's format; raises ``ValueError`` without a time zone."""
    if value.tzinfo is None:
        raise ValueError("The timestamp must include a time zone, as datetime.now(UTC) does")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
