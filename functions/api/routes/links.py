"""Listing, reading and updating links."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions import container
from functions.api.name_conflicts import explained_conflicts
from functions.api.paging import filtered_cursor, filtered_page_of, page
from functions.api.request import Request, of_model
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import Conflict, LimitReached, LinkNotFound
from functions.domain.link import Link
from functions.domain.link_filter import EVERY_LINK
from functions.domain.urls import own_hosts
from functions.schemas.link_views import link_view, written_view
from functions.services.link_lookup import find_link
from functions.services.list_links import list_links as list_page
from functions.services.read_budget import RequestBudget
from functions.services.update_link import update_link as change_link

if TYPE_CHECKING:
    from functions.schemas import link_responses

routes = Routes("Links")

FILTER = of_model(
    "FilterFields",
    "tag",
    "title",
    "isActive",
    "expired",
    "createdBefore",
    "createdAfter",
    "minClicks",
    "maxClicks",
    "externalId",
)


@routes.route(
    "GET",
    "/api/links",
    scope="linksRead",
    query=page(maximum=1_000) | FILTER,
)
@Described(raises=(LimitReached,), leads_to={"/api/links/{id}": {"id": "links/0/id"}})
def list_links(request: Request) -> Response[link_responses.LinkPage]:
    """Live links, newest first, page by page."""
    link_filter = EVERY_LINK
    if request.conditions:
        # Imported here: the parser loads pydantic, which the routes that only read do not need.
        from functions.schemas.filters import parse_query

        link_filter = parse_query(request.conditions)
    workspace_id = request.caller.workspace_id
    limit, position = filtered_page_of(request, "list", link_filter)

    def size_of(link: Link) -> int:
        # Lambda's worst case: JSON in JSON with every other character escaped.
        return len(json.dumps(json.dumps(link_view(link, request.base_url)))) + 1

    found, last = list_page(
        workspace_id=workspace_id,
        limit=limit,
        after=position,
        links=container.links(),
        link_filter=link_filter,
        size_of=size_of,
        budget=RequestBudget(workspace_id, request.caller.plan, access=container.access()),
    )
    cursor = filtered_cursor(request, "list", last, link_filter)
    views = [link_view(link, request.base_url) for link in found]
    return Response(200, {"links": views, "nextCursor": cursor}, log_fields={"ids": len(views)})


@routes.route("GET", "/api/links/{id}", scope="linksRead")
@Described(raises=(LinkNotFound,))
def get_link(request: Request) -> Response[link_responses.Link]:
    """One live link, by id or short code."""
    link = find_link(
        request.path["id"],
        workspace_id=request.caller.workspace_id,
        links=container.links(),
    )
    return Response(200, link_view(link, request.base_url))


@routes.route("PUT", "/api/links/{id}", scope="linksWrite")
@Described(
    text="The changed link. A key without `linksRead` gets only the fields that it wrote.",
    body="LinkChanges",
    raises=(LinkNotFound, Conflict),
)
def update_link(request: Request) -> Response[link_responses.Link | link_responses.WrittenLink]:
    """Change some fields of a live link, by id or short code.

    A key without ``linksRead`` gets the fields that it wrote and not the rest of the link. Given
    fields change, ``null`` clears a field. ``id`` and ``shortCode`` never change.
    """
    from functions.schemas.links import parse_link_changes

    changes = parse_link_changes(request.json, request.caller.policies.app_schemes)
    links = container.links()
    with explained_conflicts(request.caller, links):
        link = change_link(
            request.path["id"],
            changes,
            workspace_id=request.caller.workspace_id,
            own_hosts=own_hosts(request.event),
            links=links,
            policies=request.caller.policies,
        )
    view = link_view(link, request.base_url)
    fields = {"linkId": link.id}
    if "linksRead" not in request.caller.scopes:
        return Response(200, written_view(view, changes), log_fields=fields)
    return Response(200, view, log_fields=fields)
