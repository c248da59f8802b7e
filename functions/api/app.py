"""The HTTP edge of the API functions: parse, admit, call, translate. Nothing else lives here.

Every route goes the same way: count the request in its key's window, check the scope, parse,
call the procedure, answer; an error is answered in the dialect of its route.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler import Response as GatewayResponse

from functions import metrics
from functions.api.json_body import parse_json
from functions.api.methods import ALLOWED_METHODS, dialect_of
from functions.api.response_size import BODY_LIMIT, sent_size
from functions.api.security_headers import TRANSPORT
from functions.aws.client import client, run_with_timeout
from functions.config import optional_setting, setting
from functions.domain.clock import deadline, deadline_of, use_deadline
from functions.domain.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    MissingScopes,
    RateLimited,
    Unauthenticated,
    UnlinkError,
)
from functions.domain.plans import Plan, plans
from functions.domain.policies import Policies
from functions.domain.query_params import parameters_of
from functions.domain.urls import api_base, short_url_base
from functions.repositories.access import AccessTable, RateWindow
from functions.repositories.idempotency import (
    IdempotencyKey,
    IdempotencyRecord,
    IdempotencyTable,
)

if TYPE_CHECKING:
    from functions.domain.error_bodies import ErrorBody
    from functions.domain.record_types import Role

#: Largest body that a function parses, in bytes. Lambda takes 6 MB, and base64 (all media types
#: are declared binary) leaves 4.5 MB of it; 10,000 ids are 0.4 MB.
MAX_BODY = 4 * 1024 * 1024

#: What an invocation keeps of its time for closing the record, the hand-over and the answer. A call
#: that begins just before may hang for most of it (``client``'s timeouts).
RESERVED_SECONDS = 5.0

#: Seconds for which a failing count is tried again, and for which a slow one is waited for. The
#: second is long, because whom it ends passes: a table that is merely busy must not open the gate.
LIMITER_TIMEOUT = 0.5
LIMITER_WAIT = 5.0

_EXPOSED = (
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, RateLimit, RateLimit-Policy, "
    "X-Deletion-Id, X-Request-Id, Location, Retry-After"
)

#: The type of a response's body, one of ``schemas``.
Body_co = TypeVar("Body_co", covariant=True)

#: Filled by the first request of this process.
_warm: list[bool] = []


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the authorizer established it; ``expires_at`` in Unix seconds."""

    workspace_id: str
    key_id: str
    user_id: str
    scopes: frozenset[str]
    plan: Plan
    policies: Policies
    source_ip: str
    expires_at: int | None = None
    #: Of a signed-in member; None for an API key.
    role: Role | None = None

    @property
    def retention_days(self) -> int | None:
        """Days that a soft-deleted link is kept; None for ever."""
        return self.policies.retention_days

    def require(self, *scopes: str) -> None:
        """Raises ``MissingScopes`` with those that the caller's key lacks."""
        if missing := [scope for scope in scopes if scope not in self.scopes]:
            raise MissingScopes(missing)


@dataclass(frozen=True)
class Request:
    """One admitted request."""

    caller: Caller
    event: dict[str, Any]
    path: dict[str, str]
    query: dict[str, str]
    #: Where the caller stands in its minute, this request counted; None if it was not counted.
    window: RateWindow | None = None

    @cached_property
    def body(self) -> bytes:
        """The raw body; raises ``BodyTooLarge``."""
        return raw_body(self.event)

    def json(self) -> Any:
        """The parsed body; raises ``InvalidRequest``."""
        return parse_json(self.body)

    def header(self, name: str) -> str | None:
        """A header by its name in any letter case."""
        wanted = name.lower()
        for key, value in (self.event.get("headers") or {}).items():
            if key.lower() == wanted:
                return str(value)
        return None

    @property
    def base_url(self) -> str:
        """Where short links start, without a slash at its end."""
        return short_url_base(self.event)

    def location(self, path: str) -> dict[str, str]:
        """The ``Location`` header for a path of the API, from its root."""
        return {"Location": f"{api_base(self.event)}{path}"}

    @property
    def reason(self) -> str | None:
        """``?reason=``, at most 500 characters; raises ``InvalidRequest``."""
        return check_reason(self.query.get("reason"))

    @cached_property
    def idempotency_key(self) -> IdempotencyKey | None:
        """The ``Idempotency-Key`` header with the hash of what it stands for, if there is one."""
        key = self.header("Idempotency-Key")
        if key is None:
            return None
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise InvalidRequest("Idempotency-Key must be 1 to 255 printable characters")
        digest = hashlib.sha256()
        for part in (self.event["httpMethod"], self.event["path"], self.query.get("reason", "")):
            digest.update(part.encode() + b"\0")
        digest.update(self.body)
        return IdempotencyKey(key, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Response(Generic[Body_co]):
    """What a route answers; ``log_fields`` go into the request's log line.

    ``body`` is sent as JSON, unless a ``content_type`` says that it is sent as it is (text or
    bytes).
    """

    status: int
    body: Body_co
    headers: dict[str, str] = field(default_factory=dict)
    log_fields: dict[str, Any] = field(default_factory=dict)
    content_type: str | None = None


#: What serves a route.
Endpoint = Callable[["Request"], Response[Body_co]]

#: Answers a request whose Idempotency-Key was used before for the same request, as it was answered
#: then; None when that one never came to an answer, and the request is to be run.
Replay = Callable[["Request", IdempotencyRecord], Response[Any] | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A registered route; the OpenAPI document tells the same."""

    method: str
    rule: str
    scope: str | None
    query: frozenset[str]
    error_format: str
    endpoint: Callable[[Request], Response[Any]]
    replay: Replay | None = None
    either: tuple[str, ...] = ()
    #: False for a route that is refused whatever the query says.
    reads_query: bool = True


class Api:
    """The routes of one function. One resolver each: a shared one would merge their routes."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self._app = APIGatewayRestResolver()
        self._app.not_found(self._refuse_method)
        self._log = Logger()

    def route(
        self,
        method: str,
        rule: str,
        *,
        scope: str | None,
        query: Iterable[str] = (),
        error_format: str = "linkforty",
        replay: Replay | None = None,
        either: Sequence[str] = (),
    ) -> Callable[[Endpoint[Body_co]], Endpoint[Body_co]]:
        """Register an endpoint: ``rule`` as Powertools spells it, ``scope`` that it needs, the
        ``query`` parameters that it takes.

        ``scope=None`` is for a route whose body decides which of the scopes ``either``; it checks
        with ``require``. Every POST and DELETE has a ``replay``, and no other method.
        """
        if (method in ("POST", "DELETE")) is (replay is None):
            raise ValueError(f"{method} {rule}: POST and DELETE need a replay, others have none")

        def register(endpoint: Endpoint[Body_co]) -> Endpoint[Body_co]:
            route = Route(
                method, rule, scope, frozenset(query), error_format, endpoint, replay, tuple(either)
            )

            def entry(**path: str) -> GatewayResponse[Any]:
                return self._serve(route, path)

            # HEAD is GET without a body (RFC 9110, section 9.3.2). The body is answered all the
            # same: the gateway takes Content-Length from it and sends none to HEAD.
            self._app.route(rule, method=["GET", "HEAD"] if method == "GET" else [method])(entry)
            self.routes.append(route)
            return endpoint

        return register

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda handler."""
        # The matched resource with its parameters, because under a custom domain the path that
        # the gateway reports starts with the domain's base path.
        resource = event["resource"]
        event["path"] = _fill(resource, event.get("pathParameters") or {})
        allowed = ALLOWED_METHODS.get(resource)
        if allowed is not None and event["httpMethod"] not in allowed:
            # A path that no rule matches: `DELETE /api/links/bulk-delete` is no link's.
            event["path"] = "/"
        try:
            with use_deadline(deadline_of(context, RESERVED_SECONDS)):
                return self._app.resolve(event, context)
        finally:
            metrics.flush()

    def _refuse_method(self, _error: Exception) -> GatewayResponse[Any]:
        """405 for a method that the gateway's catch-all sent here and no route has."""
        resource, method = self._app.current_event["resource"], self._app.current_event.http_method
        allowed = ALLOWED_METHODS[resource]

        def refuse(_request: Request) -> Response[Any]:
            raise MethodNotAllowed(allowed)

        route = Route(
            method, resource, None, frozenset(), dialect_of(resource), refuse, reads_query=False
        )
        return self._serve(route, {})

    def _serve(self, route: Route, path: dict[str, str]) -> GatewayResponse[Any]:
        name = f"{route.method} {route.rule}"
        started = time.perf_counter()
        event = self._app.current_event.raw_event
        request_id = event["requestContext"]["requestId"]
        headers = cors_headers(event) | {
            # What is answered holds for one caller, and no longer than until somebody deletes it.
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            **TRANSPORT,
        }
        try:
            caller = caller_of(event)
        except (KeyError, ValueError) as error:
            # A plan, say, that an earlier or later release knows: not the caller's fault.
            extra = {"route": name, "requestId": request_id, "cause": repr(error)}
            self._log.error("the authorizer's context was not understood", extra=extra)
            refusal = _refusal(InternalError(), route.error_format)
            return GatewayResponse(
                refusal.status, "application/json", to_json(refusal.body), headers=headers
            )
        try:
            # The gateway remembers the authorizer's answer for longer than a credential may last.
            if caller.expires_at is not None and caller.expires_at <= time.time():
                raise Unauthenticated
            window = self._count(caller)
            if window is not None:
                headers |= rate_headers(window, caller.plan)
            if route.scope is not None:
                caller.require(route.scope)
            if route.either and caller.scopes.isdisjoint(route.either):
                caller.require(route.either[0])
            request = Request(
                caller,
                event,
                {name: unquote(value) for name, value in path.items()},
                parameters_of(event, route.query) if route.reads_query else {},
                window,
            )
            answer = _repeated(route, request) or route.endpoint(request)
        except UnlinkError as error:
            if error.status >= 500:
                cause = {"cause": repr(error.__cause__)} if error.__cause__ is not None else {}
                self._log.error("failed", extra={"route": name, "requestId": request_id, **cause})
            answer = _refusal(error, route.error_format)
            if error.deletion_id is not None:
                headers["X-Deletion-Id"] = error.deletion_id
            if isinstance(error, RateLimited):
                full = RateWindow(caller.plan.requests_per_minute, 0, error.reset)
                headers |= rate_headers(full, caller.plan)
        except Exception:
            self._log.exception("unexpected error", extra={"route": name, "requestId": request_id})
            answer = _refusal(InternalError(), route.error_format)
        body = to_json(answer.body) if answer.content_type is None else answer.body
        if answer.content_type is None and sent_size(body) > BODY_LIMIT:
            # Lambda would drop the answer and API Gateway answer 502, in no format of ours.
            self._log.error("answer too large", extra={"route": name, "requestId": request_id})
            answer = _refusal(InternalError(), route.error_format)
            body = to_json(answer.body)
        self._log.info(
            "request",
            extra={
                "route": name,
                "status": answer.status,
                "workspaceId": caller.workspace_id,
                "keyId": caller.key_id,
                "requestId": request_id,
                "durationMs": round((time.perf_counter() - started) * 1000, 1),
                "coldStart": not _warm,
                **metrics.take_consumed(),
                **answer.log_fields,
            },
        )
        _warm[:] = [True]
        return GatewayResponse(
            status_code=answer.status,
            content_type=answer.content_type or "application/json",
            body=body,
            headers=headers | answer.headers,
        )

    def _count(self, caller: Caller) -> RateWindow | None:
        """Count the request; when the counter cannot answer, let the caller pass.

        The limiter protects callers from each other; refusing them all because it is down would
        be the outage that it exists to prevent. The gateway's usage plan still shields the
        functions. Such an answer carries no rate headers: any number would be made up.
        """
        try:
            with deadline(LIMITER_TIMEOUT):
                return run_with_timeout(
                    LIMITER_WAIT,
                    lambda: access_table().count_request(caller.key_id, caller.plan),
                )
        except RateLimited:
            raise
        except UnlinkError:
            self._log.warning("the rate counter did not answer", extra={"keyId": caller.key_id})
            return None


def _repeated(route: Route, request: Request) -> Response[Any] | None:
    """The answer that this request got before under its Idempotency-Key, if it was sent before.

    Looked up before the request itself is looked at: what it asks for is done, so its ids may be
    unknown by now, and its limits and tokens may be others. Raises ``KeyReused``.
    """
    if route.replay is None or request.idempotency_key is None:
        return None
    record = idempotency_table().find(request.caller.workspace_id, request.idempotency_key)
    return None if record is None else route.replay(request, record)


def _refusal(error: UnlinkError, error_format: str) -> Response[ErrorBody]:
    body: ErrorBody = error.to_hoko() if error_format == "hoko" else error.to_linkforty()
    return Response(int(error.status), body, error.headers(), {"error": error.english})


def access_table() -> AccessTable:
    """The ``access`` table of this stage."""
    return AccessTable(client("dynamodb"), setting("ACCESS_TABLE"))


def idempotency_table() -> IdempotencyTable:
    """The idempotency keys of this stage."""
    return IdempotencyTable(client("dynamodb"), setting("DELETIONS_TABLE"))


def caller_of(event: dict[str, Any]) -> Caller:
    """The caller from the authorizer's context (API Gateway turns every value into text)."""
    context = event["requestContext"]["authorizer"]
    expires_at = context.get("expiresAt")
    return Caller(
        workspace_id=context["workspaceId"],
        key_id=context["keyId"],
        user_id=context["userId"],
        scopes=frozenset(context["scopes"].split()),
        plan=plans()[context["plan"]],
        policies=Policies.read(context),
        source_ip=event["requestContext"].get("identity", {}).get("sourceIp", ""),
        expires_at=int(expires_at) if expires_at else None,
        role=context.get("role"),
    )


def raw_body(event: dict[str, Any]) -> bytes:
    """The body as bytes, whichever way the gateway encoded it; raises ``BodyTooLarge``."""
    body = event.get("body") or ""
    if len(body) > MAX_BODY * 4 // 3 + 4:
        raise BodyTooLarge
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if len(raw) > MAX_BODY:
        raise BodyTooLarge
    return raw


def to_json(body: Any) -> str:
    """Compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def check_reason(reason: object) -> str | None:
    """A reason is text of at most 500 characters; raises ``InvalidRequest``."""
    if reason is None:
        return None
    if not isinstance(reason, str) or len(reason) > 500:
        raise InvalidRequest("reason must be text of at most 500 characters")
    return reason


def rate_headers(window: RateWindow, plan: Plan) -> dict[str, str]:
    """``X-RateLimit-*`` (reset in Unix seconds) and the IETF draft's ``RateLimit`` fields."""
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.reset),
        "RateLimit-Policy": f'"{plan.name}";q={window.limit};w=60',
        "RateLimit": f'"{plan.name}";r={window.remaining};t={window.seconds_left}',
    }


def cors_headers(event: dict[str, Any]) -> dict[str, str]:
    """CORS headers for the caller's origin; never a wildcard together with credentials."""
    allowed = optional_setting("CORS_ALLOW_ORIGINS", "*")
    if allowed == "*":
        return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
    headers = event.get("headers") or {}
    origin = next((value for key, value in headers.items() if key.lower() == "origin"), None)
    if origin is None or origin not in [entry.strip() for entry in allowed.split(",")]:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED,
        "Vary": "Origin",
    }


def _fill(resource: str, parameters: dict[str, str]) -> str:
    # Encoded, because the router matches no control characters; the gateway has matched already.
    for name, value in parameters.items():
        resource = resource.replace(f"{{{name}}}", quote(unquote(value), safe=""))
    return resource
