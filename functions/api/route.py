"""Routes: what each needs, what serves it, and what callers need to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.api.request import Parameter, Request
from functions.api.response import Body_co, Response
from functions.domain.camel_case import camel_case
from functions.domain.errors import UnlinkError
from functions.domain.idempotency import IdempotencyRecord

#: What serves a route.
Endpoint = Callable[[Request], Response[Body_co]]

#: Repeats the response to an earlier request with the same Idempotency-Key and body. None if the
#: earlier request has no response, so this one must run.
Replay = Callable[[Request, IdempotencyRecord], Response[Any] | None]


# The start of a function pays for each method that a dataclass gets.
@dataclass(kw_only=True, eq=False, repr=False)
class Described:
    """What the OpenAPI document says about an endpoint and its code does not: a decorator."""

    #: Of a success. A return type ``Pending…`` is the body of 202.
    status: int = 200
    #: Describes the success. Without it, the docstring of the return type does.
    text: str = ""
    media: Sequence[str] = ("application/json",)
    #: Of a success, besides those of every response. 202 has ``Location`` too.
    headers: Sequence[str] = ()
    #: The name of the request's body in ``request_bodies.py``. The type itself needs pydantic.
    body: str = ""
    #: Errors besides those of every route and of the Idempotency-Key.
    raises: Sequence[type[UnlinkError]] = ()
    #: The work and its Idempotency-Key are written together: a repeat never finds it running.
    atomic: bool = False
    #: Paths that the success leads to, and where in its body their parameters are.
    leads_to: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __call__(self, endpoint: Endpoint[Body_co]) -> Endpoint[Body_co]:
        """Decorate an endpoint, below ``@routes.route``."""
        vars(endpoint)["described"] = self
        return endpoint


@dataclass(eq=False, repr=False)
class Route:
    """A registered route. The OpenAPI document is made from it."""

    method: str
    resource: str
    #: Of several, one is needed: the endpoint and the replay check which.
    scopes: tuple[str, ...]
    query: Mapping[str, Parameter]
    endpoint: Endpoint[Any]
    replay: Replay | None = None
    #: False for a route that is refused with any query.
    reads_query: bool = True
    #: The group of the route in the OpenAPI document.
    tag: str = ""

    @property
    def error_format(self) -> str:
        """Of its errors: Hoko's for the route of its contract, and for deletions as records."""
        hoko = self.resource.startswith("/api/deletions")
        hoko = hoko or (self.method, self.resource) == ("DELETE", "/api/links")
        return "hoko" if hoko else "linkforty"

    @property
    def described(self) -> Described:
        """What callers need to know about the endpoint."""
        described: Described = vars(self.endpoint).get("described", Described())
        return described

    @property
    def operation_id(self) -> str:
        """The operation's id in the document: the name of the endpoint, in camel case."""
        return camel_case(self.endpoint.__name__)


class Routes:
    """The routes of one module, and their group in the OpenAPI document."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.all: list[Route] = []

    def route(
        self,
        method: str,
        resource: str,
        *,
        scope: str | tuple[str, ...],
        query: Mapping[str, Parameter] | None = None,
        replay: Replay | None = None,
    ) -> Callable[[Endpoint[Body_co]], Endpoint[Body_co]]:
        """Register an endpoint. Its name and docstring are those of the operation in the document.

        ``resource`` is the path as API Gateway has it (``/api/links/{id}``). ``scope`` is what it
        needs. Of several it needs one: the endpoint and the replay check with ``require`` which.
        ``query`` has the query parameters that it takes. Every POST and DELETE has a ``replay``,
        and no other method.
        """
        if (method in ("POST", "DELETE")) is (replay is None):
            raise ValueError(f"{method} {resource}: POST and DELETE need a replay, no other does")
        scopes = (scope,) if isinstance(scope, str) else scope

        def register(endpoint: Endpoint[Body_co]) -> Endpoint[Body_co]:
            route = Route(method, resource, scopes, query or {}, endpoint, replay, tag=self._tag)
            self.all.append(route)
            return endpoint

        return register
