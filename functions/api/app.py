"""The HTTP edge of the API functions: parse, admit, call, translate.

Every route takes the same steps: count the request in its key's window, check the scope, parse,
call the service, respond. An error is answered in the format of its route.
"""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from functions import container, metrics
from functions.api.caller import caller_of
from functions.api.cors import cors_headers
from functions.api.methods import allowed_methods
from functions.api.rate_limit import count_request, rate_headers
from functions.api.request import Request
from functions.api.response import Response, to_json
from functions.api.response_size import BODY_LIMIT, sent_size
from functions.api.route import Route, Routes
from functions.api.security_headers import TRANSPORT
from functions.domain.clock import deadline_of, use_deadline
from functions.domain.errors import (
    InternalError,
    MethodNotAllowed,
    RateLimited,
    Unauthenticated,
    UnlinkError,
)
from functions.domain.query_params import parameters_of
from functions.powertools import Logger
from functions.repositories.access import RateWindow

if TYPE_CHECKING:
    from functions.domain.error_bodies import ErrorBody

#: Seconds of an invocation that are reserved for closing the record, the requeue and the response.
#: A call that starts just before may hang for most of them (see the timeouts in ``client``).
RESERVED_SECONDS = 5.0

#: Filled by the first request of this process.
_warm: list[bool] = []

_PATH_PARAMETER = re.compile(r"{(\w+)}")


class Api:
    """The routes of one function.

    API Gateway has matched the path already: an event names its resource, such as
    ``/api/links/{id}``. So a route is found by method and resource, whatever a custom domain puts
    before the path.
    """

    def __init__(self, *groups: Routes) -> None:
        self.routes: list[Route] = []
        self._by_resource: dict[tuple[str, str], Route] = {}
        self._log = Logger()
        for group in groups:
            for route in group.all:
                self._add(route)
        # Every request is counted there.
        container.warm_up(container.access)

    def _add(self, route: Route) -> None:
        # HEAD is GET without a body (RFC 9110, section 9.3.2). The function returns the body:
        # the gateway takes Content-Length from it and sends none to HEAD.
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            self._by_resource[method, route.resource] = route
        self.routes.append(route)

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda handler."""
        resource, method = event["resource"], event["httpMethod"]
        route = self._by_resource.get((method, resource))
        # Without a custom domain's base path: an Idempotency-Key means the same at every host.
        path = {name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()}
        event["path"] = _PATH_PARAMETER.sub(lambda name: path[name[1]], resource)
        try:
            with use_deadline(deadline_of(context, RESERVED_SECONDS)):
                return self._serve(route or _refused_method(method, resource), event, path)
        finally:
            metrics.flush()

    def _serve(self, route: Route, event: dict[str, Any], path: dict[str, str]) -> dict[str, Any]:
        started = time.perf_counter()
        request_id = event["requestContext"]["requestId"]
        about = {"route": f"{route.method} {route.resource}", "requestId": request_id}
        headers = cors_headers(event) | {
            # Responses are private to the caller and valid only until the next delete.
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            **TRANSPORT,
        }
        try:
            caller = caller_of(event)
        except (KeyError, ValueError) as error:
            # For example a plan that only another release knows. This is not the caller's fault.
            extra = about | {"cause": repr(error)}
            self._log.error("the authorizer's context could not be parsed", extra=extra)
            refusal = _refusal(InternalError(), route.error_format)
            return _gateway_response(refusal, to_json(refusal.body), headers)
        try:
            # The gateway may cache the authorizer's response longer than the credential is valid.
            if caller.expires_at is not None and caller.expires_at <= time.time():
                raise Unauthenticated
            window = count_request(caller)
            if window is not None:
                headers |= rate_headers(window, caller.plan)
            if len(route.scopes) == 1:
                caller.require(*route.scopes)
            request = Request(
                caller,
                event,
                path,
                parameters_of(event, route.query) if route.reads_query else {},
                window,
                route.query,
            )
            response = _repeated(route, request) or route.endpoint(request)
        except UnlinkError as error:
            if error.status >= 500:
                cause = {"cause": repr(error.__cause__)} if error.__cause__ is not None else {}
                self._log.error("failed", extra=about | cause)
            response = _refusal(error, route.error_format)
            if error.deletion_id is not None:
                headers["X-Deletion-Id"] = error.deletion_id
            if isinstance(error, RateLimited):
                full = RateWindow(caller.plan.requests_per_minute, 0, error.reset)
                headers |= rate_headers(full, caller.plan)
        except Exception:
            self._log.exception("unexpected error", extra=about)
            response = _refusal(InternalError(), route.error_format)
        body = to_json(response.body) if response.content_type is None else response.body
        if response.content_type is None and sent_size(body) > BODY_LIMIT:
            # Lambda would drop the response, and API Gateway would answer 502 in neither format.
            self._log.error("response too large", extra=about)
            response = _refusal(InternalError(), route.error_format)
            body = to_json(response.body)
        self._log.info(
            "request",
            extra={
                **about,
                "status": response.status,
                "workspaceId": caller.workspace_id,
                "keyId": caller.key_id,
                "durationMs": round((time.perf_counter() - started) * 1000, 1),
                "coldStart": not _warm,
                **metrics.take_consumed(),
                **response.log_fields,
            },
        )
        _warm[:] = [True]
        return _gateway_response(response, body, headers)


def _refused_method(method: str, resource: str) -> Route:
    """405 for a method that the gateway's catch-all forwarded and no route has."""
    allowed = allowed_methods(resource)

    def refuse(_request: Request) -> Response[Any]:
        raise MethodNotAllowed(allowed)

    return Route(method, resource, (), {}, refuse, reads_query=False)


def _gateway_response(
    response: Response[Any], body: Any, headers: dict[str, str]
) -> dict[str, Any]:
    """A response in the format of a Lambda proxy integration; bytes are sent as base64."""
    binary = isinstance(body, bytes)
    all_headers = {"Content-Type": response.content_type or "application/json"}
    all_headers |= headers | response.headers
    return {
        "statusCode": response.status,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "body": base64.b64encode(body).decode() if binary else body,
        "isBase64Encoded": binary,
    }


def _repeated(route: Route, request: Request) -> Response[Any] | None:
    """The earlier response to this request, if its Idempotency-Key was used before.

    It is looked up before the request is validated: the links may be gone since, and limits or
    tokens may have changed. Raises ``KeyReused``.
    """
    if route.replay is None or request.idempotency_key is None:
        return None
    record = container.idempotency().find(request.caller.workspace_id, request.idempotency_key)
    return None if record is None else route.replay(request, record)


def _refusal(error: UnlinkError, error_format: str) -> Response[ErrorBody]:
    body: ErrorBody = error.to_hoko() if error_format == "hoko" else error.to_linkforty()
    return Response(int(error.status), body, error.headers(), {"error": error.english})
