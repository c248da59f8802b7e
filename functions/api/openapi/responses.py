"""The responses of an operation that are not errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_type_hints

from functions.api.openapi.parameters import RATE_HEADERS, headers
from functions.api.openapi.schemas import ANNOTATIONS, Schema, plain, schema_of
from functions.api.route import Route

_CACHED = ("ETag", "Cache-Control")


@dataclass(frozen=True)
class DescribedResponse:
    """One response: its text (by default the docstring of the body's type), body and headers."""

    text: str = ""
    body: Any = None
    media: Sequence[str] = ("application/json",)
    headers: Sequence[str] = ()
    links: Mapping[str, Schema] = field(default_factory=dict)


UNCHANGED = DescribedResponse("The content has not changed.", headers=_CACHED)


def successes(route: Route, routes: Sequence[Route]) -> dict[int, DescribedResponse]:
    """The successes of a keyed route, by status. ``routes`` are all that they may lead to."""
    described = route.described
    done, pending = _returned(route)
    links = dict(_links(route, routes))
    found = {
        described.status: DescribedResponse(
            described.text, done, described.media, described.headers, links
        )
    }
    if pending is not None:
        names = (*described.headers, "Location")
        found[202] = DescribedResponse(body=pending, headers=names, links=links)
    if "ETag" in described.headers:
        found[304] = UNCHANGED
    return found


def responses_of(described: Mapping[int, DescribedResponse], *, keyed: bool) -> Schema:
    """The responses as the document has them; those with a key have the headers of its limit."""
    usual = ("X-Request-Id", *(RATE_HEADERS if keyed else ()))
    return {str(status): _response(each, usual) for status, each in described.items()}


def _response(described: DescribedResponse, usual: Sequence[str]) -> Schema:
    body = described.body
    text = described.text or plain({"description": inspect.getdoc(body)})["description"]
    found: Schema = {"description": text, "headers": headers([*usual, *described.headers])}
    if body is not None:
        # Where a type describes the JSON, another media type shows the same in its own way.
        found["content"] = {
            media: {"schema": schema_of(body) if "json" in media or isinstance(body, dict) else {}}
            for media in described.media
        }
    if described.links:
        found["links"] = dict(described.links)
    return found


def _returned(route: Route) -> tuple[Any, Any]:
    """The endpoint's return type without the types ``Pending…``, and these, if there are any."""
    [returned] = get_args(get_type_hints(route.endpoint, localns=ANNOTATIONS)["return"])
    # Also of a type that is not a union.
    members = get_args(returned | None)[:-1]
    pending = [each for each in members if each.__name__.startswith("Pending")]
    done = [each for each in members if each not in pending]
    return Union[tuple(done)], pending[0] if pending else None  # noqa: UP007


def _links(route: Route, routes: Sequence[Route]) -> Iterator[tuple[str, Schema]]:
    """The operations that take what a success says, by id; parameters as runtime expressions."""
    if route.replay is not None and "X-Deletion-Id" in route.described.headers:
        to_deletion = {"id": "$response.header.X-Deletion-Id"}
        yield "getDeletion", {"operationId": "getDeletion", "parameters": to_deletion}
    for path, members in route.described.leads_to.items():
        parameters = {name: f"$response.body#/{member}" for name, member in members.items()}
        for each in routes:
            if each.resource == path or each.resource.startswith(f"{path}/"):
                yield (
                    each.operation_id,
                    {"operationId": each.operation_id, "parameters": parameters},
                )
