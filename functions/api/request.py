"""One admitted request: its body, query, headers and Idempotency-Key."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from functions.api.caller import Caller
from functions.api.json_body import parse_json
from functions.domain.errors import BodyTooLarge, InvalidRequest
from functions.domain.idempotency import IdempotencyKey
from functions.domain.query_params import parse_int_param
from functions.domain.urls import api_base, short_url_base
from functions.repositories.access import RateWindow

#: Largest body that a function parses, in bytes. Lambda takes 6 MB, and base64 (all media types
#: are declared binary) leaves 4.5 MB of it; 10,000 ids are 0.4 MB.
MAX_BODY = 4 * 1024 * 1024

#: A query parameter as a JSON schema with a description, or ``model``: the request's model that
#: describes it.
Parameter = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One admitted request."""

    caller: Caller
    event: dict[str, Any]
    path: dict[str, str]
    query: dict[str, str]
    #: The caller's minute window, including this request; None if it was not counted.
    window: RateWindow | None
    #: The query parameters that the route takes.
    parameters: Mapping[str, Parameter]

    @cached_property
    def body(self) -> bytes:
        """The raw body; raises ``BodyTooLarge``."""
        return raw_body(self.event)

    @cached_property
    def json(self) -> Any:
        """The parsed body; raises ``InvalidRequest``."""
        return parse_json(self.body)

    def members(self, *names: str) -> dict[str, Any]:
        """The members of a body that may be missing, and is an object with these names at most.

        A ``dryRun`` that was ignored would delete. Raises ``InvalidRequest``.
        """
        if not self.body.strip():
            return {}
        if not isinstance(self.json, dict) or set(self.json) - set(names):
            allowed = f"The body is optional; its members may be: {', '.join(names)}"
            raise InvalidRequest(allowed if names else "The request takes no body")
        return self.json

    def header(self, name: str) -> str | None:
        """A header by its name in any letter case."""
        lower_name = name.lower()
        for key, value in (self.event.get("headers") or {}).items():
            if key.lower() == lower_name:
                return str(value)
        return None

    @property
    def conditions(self) -> dict[str, str]:
        """The query parameters of a filter: those that a request's model describes."""
        return {name: self.query[name] for name in self.query if "model" in self.parameters[name]}

    def integer(self, name: str) -> int:
        """A query parameter, within the bounds of the route's; raises ``InvalidRequest``."""
        declared = self.parameters[name]
        return parse_int_param(
            self.query.get(name),
            name,
            default=declared["default"],
            least=declared["minimum"],
            maximum=declared["maximum"],
        )

    @property
    def base_url(self) -> str:
        """Where short links start, without a slash at its end."""
        return short_url_base(self.event)

    def location(self, path: str) -> dict[str, str]:
        """The ``Location`` header for a path of the API, from its root."""
        return {"Location": f"{api_base(self.event)}{path}"}

    @cached_property
    def idempotency_key(self) -> IdempotencyKey | None:
        """The ``Idempotency-Key`` header with the hash of its request, if there is one."""
        key = self.header("Idempotency-Key")
        if key is None:
            return None
        headers: dict[str, list[str]] = self.event.get("multiValueHeaders") or {}
        given = [values for name, values in headers.items() if name.lower() == "idempotency-key"]
        if sum(map(len, given)) > 1:
            # The gateway's plain mapping has only the last of them.
            raise InvalidRequest("Idempotency-Key given more than once")
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise InvalidRequest("Idempotency-Key must be 1 to 255 printable characters")
        digest = hashlib.sha256()
        for part in (self.event["httpMethod"], self.event["path"], self.query.get("reason", "")):
            digest.update(part.encode() + b"\0")
        digest.update(self.body)
        return IdempotencyKey(key, digest.hexdigest())


def parameter(text: str, kind: str = "string", **schema: Any) -> Parameter:
    """A query parameter of a JSON type; ``text`` describes it."""
    return {"description": text, "type": kind, **schema}


def integer(text: str, *, default: int, maximum: int, minimum: int = 1) -> Parameter:
    """An integer query parameter with bounds."""
    return parameter(text, "integer", minimum=minimum, maximum=maximum, default=default)


def of_model(model: str, *names: str) -> dict[str, Parameter]:
    """Query parameters that a request's model describes. The model itself needs pydantic."""
    return {name: {"model": model} for name in names}


def raw_body(event: dict[str, Any]) -> bytes:
    """The body as bytes, decoded from base64 if needed; raises ``BodyTooLarge``."""
    body = event.get("body") or ""
    if len(body) > MAX_BODY * 4 // 3 + 4:
        raise BodyTooLarge
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if len(raw) > MAX_BODY:
        raise BodyTooLarge
    return raw
