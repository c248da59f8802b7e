"""Routes: what each needs, and what serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from functions.api.request import Request
from functions.api.response import Body_co, Response
from functions.domain.idempotency import IdempotencyRecord

#: What serves a route.
Endpoint = Callable[["Request"], Response[Body_co]]

#: Repeats the response to an earlier request with the same Idempotency-Key and body. None if the
#: earlier request has no response, so this one must run.
Replay = Callable[["Request", IdempotencyRecord], Response[Any] | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A registered route. The OpenAPI document is made from it."""

    method: str
    resource: str
    scope: str | None
    query: frozenset[str]
    error_format: str
    endpoint: Callable[[Request], Response[Any]]
    replay: Replay | None = None
    either: tuple[str, ...] = ()
    #: False for a route that is refused with any query.
    reads_query: bool = True
    #: The group of the route in the OpenAPI document.
    tag: str = ""


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
        scope: str | None,
        query: Iterable[str] = (),
        error_format: str = "linkforty",
        replay: Replay | None = None,
        either: Sequence[str] = (),
    ) -> Callable[[Endpoint[Body_co]], Endpoint[Body_co]]:
        """Register an endpoint. Its name and docstring are those of the operation in the document.

        ``resource`` is the path as API Gateway has it (``/api/links/{id}``). ``scope`` is what it
        needs, and ``query`` names the query parameters that it takes.

        With ``scope=None`` the body decides which of the scopes ``either`` is needed; the route
        checks with ``require``. Every POST and DELETE has a ``replay``, and no other method.
        """
        if (method in ("POST", "DELETE")) is (replay is None):
            raise ValueError(f"{method} {resource}: POST and DELETE need a replay, no other does")

        def register(endpoint: Endpoint[Body_co]) -> Endpoint[Body_co]:
            self.all.append(
                Route(
                    method,
                    resource,
                    scope,
                    frozenset(query),
                    error_format,
                    endpoint,
                    replay,
                    tuple(either),
                    tag=self._tag,
                )
            )
            return endpoint

        return register
