"""The responses that API Gateway gives without a function, as the deployed template has them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

#: For requests that are not HTTP: API Gateway's front end sends it, not the template.
NO_HTTP = "NO_HTTP"

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of the header `name`, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class GatewayResponses:
    """Renders the deployed API's own error responses.

    `items` is what API Gateway's GetGatewayResponses lists: `responseType`, `statusCode`,
    `responseParameters`, `responseTemplates`.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_type = {str(item["responseType"]): item for item in items}

    def render(self, response_type: str, *, status: int, request_id: str | None = None) -> Response:
        """The response for `response_type`; `status` is used if the template has none."""
        request_id = request_id or str(uuid.uuid4())
        family = "DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX"
        default = {} if response_type == NO_HTTP else self._by_type.get(family, {})
        found = self._by_type.get(response_type) or default
        headers: Headers = [("Content-Type", "application/json"), ("x-amzn-requestid", request_id)]
        for target, source in (found.get("responseParameters") or {}).items():
            value = _static_value(str(source), request_id)
            if target.startswith("gatewayresponse.header.") and value is not None:
                headers.append((target.removeprefix("gatewayresponse.header."), value))
        template = (found.get("responseTemplates") or {}).get("application/json")
        body = template or json.dumps({"message": _phrase(status)})
        body = body.replace("$context.requestId", request_id)
        return Response(int(found.get("statusCode") or status), headers, body.encode())


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"


def _static_value(source: str, request_id: str) -> str | None:
    """The value of a response parameter, if it is known without the request."""
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    return request_id if source == "context.requestId" else None
