"""Checks every response that passes the proxy, in any test, against the OpenAPI document."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from local.gateway_responses import Response
from tests.support.openapi import openapi_document

#: Headers that the document must have; the others belong to HTTP, CORS and the gateway.
OURS = re.compile(r"x-(request-id|ratelimit|deletion)|ratelimit|location|retry-after|etag")


class Contract:
    """Checks responses against the document. ``breaches`` has a line for each violation."""

    def __init__(self) -> None:
        self._document = openapi_document()
        self._paths = [
            # Fixed segments win over parameters, as at the gateway.
            (path.count("{"), re.compile(re.sub(r"{\w+}", "[^/]+", path)), item)
            for path, item in self._document["paths"].items()
        ]
        self._paths.sort(key=lambda each: each[0])
        self.breaches: list[str] = []
        #: Answers by operation and status: what the tests have seen of the API.
        self.seen: Counter[tuple[str, int]] = Counter()

    def hold(self, method: str, target: str, response: Response) -> None:
        """Record the violations of a response."""
        # The gateway ignores a trailing slash.
        operation = self._operation(method, urlsplit(target).path.rstrip("/"))
        if operation is None:
            # No such route, no HTTP, or a preflight; a method that a route does not have, which
            # needs the route's credential first.
            if method != "OPTIONS" and response.status not in {400, 401, 404, 405, 429}:
                self._note(method, target, response, "a route that is not in the document")
            return
        self.seen[operation["operationId"], response.status] += 1
        expected = operation["responses"].get(str(response.status))
        if expected is None:
            self._note(method, target, response, "a status that is not in the document")
            return
        for fault in (
            *self._body_faults(method, expected, response),
            *_header_faults(expected, response, self._validator),
        ):
            self._note(method, target, response, fault)

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        if path == "/api":
            # A segment of the API's paths, so no short code to the gateway.
            return None
        for _, pattern, item in self._paths:
            if pattern.fullmatch(path):
                # HEAD is GET without a body, whether the document says so or not.
                get = item.get("get") if method == "HEAD" else None
                found: dict[str, Any] | None = item.get(method.lower(), get)
                return found
        return None

    def _body_faults(self, method: str, expected: dict[str, Any], response: Response) -> list[str]:
        if method == "HEAD" or not response.body:
            return []
        media = (response.header("content-type") or "").partition(";")[0]
        content = expected.get("content", {}).get(media)
        if content is None:
            return [f"a body of type {media or '(none)'} that is not in the document"]
        if media != "application/json":
            return []
        packed = response.header("content-encoding") == "gzip"
        body = gzip.decompress(response.body) if packed else response.body
        validator = self._validator(json.dumps(content["schema"]))
        return [str(error.message)[:500] for error in validator.iter_errors(json.loads(body))]

    @cache  # noqa: B019 (one contract a run)
    def _validator(self, schema: str) -> Any:
        return jsonschema_rs.validator_for(
            json.loads(schema) | {"components": self._document["components"]}
        )

    def _note(self, method: str, target: str, response: Response, fault: str) -> None:
        body = response.body[:300].decode(errors="replace")
        self.breaches.append(f"{method} {target[:200]} -> {response.status}: {fault}\n    {body}")


def _header_faults(expected: dict[str, Any], response: Response, validator: Any) -> list[str]:
    documented = {name.lower(): header for name, header in expected.get("headers", {}).items()}
    faults = []
    for name, value in response.headers:
        if name.lower() not in documented:
            if OURS.match(name.lower()):
                faults.append(f"the header {name} is not in the document")
            continue
        reference = json.dumps({"$ref": f"{documented[name.lower()]['$ref']}/schema"})
        typed: Any = int(value) if re.fullmatch(r"-?\d+", value) else value
        if not validator(reference).is_valid(typed):
            faults.append(f"the header {name}: {value}")
    return faults
