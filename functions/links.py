"""Creating, reading, updating and listing links, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from functions.unlink import tokens
from functions.unlink.addresses import own_addresses
from functions.unlink.errors import InvalidRequest
from functions.unlink.filters import NAMES, LinkFilter
from functions.unlink.http import Answer, Api, Caller, Request, access_table, to_json
from functions.unlink.ids import new_link_ids
from functions.unlink.model import link_view, parse_link_changes, parse_new_links
from functions.unlink.parameters import whole_number
from functions.unlink.procedures.find import find_link
from functions.unlink.procedures.links import create_links, create_once, list_links, update_link
from functions.unlink.procedures.read_budget import RequestBudget
from functions.unlink.response_size import BODY_LIMIT, sent_size
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.link_counts import LinkCounts, Quota
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.requests import RequestsTable
from functions.unlink.stores.secrets import secret

#: Page size of ``GET /api/links``.
DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


@api.route("POST", "/api/links", scope="linksWrite")
def create(request: Request) -> Answer:
    """Create one link (an object) or up to 1,000 (an array), all or none."""
    body = request.json()
    caller = request.caller
    new = parse_new_links(body, caller.policies.app_schemes, most=caller.plan.links_per_create)
    key = request.idempotency_key
    workspace_id, links = request.caller.workspace_id, _links()

    def create_with(link_ids: Callable[[int], list[str]]) -> list[dict[str, Any]]:
        return create_links(
            new,
            workspace_id=workspace_id,
            user_id=request.caller.user_id,
            ours=own_addresses(request.event),
            links=links,
            deadline=request.deadline,
            link_ids=link_ids,
            policies=request.caller.policies,
            check=lambda items: _refuse_unanswerable(items, request),
            quota=_quota(caller),
        )

    if key is None:
        created = create_with(new_link_ids)
    else:
        created = create_once(
            create_with,
            len(new),
            key=key,
            workspace_id=workspace_id,
            requests=RequestsTable(client("dynamodb"), setting("LINKS_TABLE")),
            links=links,
            deadline=request.deadline,
        )
    views = [link_view(link, request.base_url) for link in created]
    noted = {"ids": len(views)}
    if isinstance(body, list):
        return Answer(201, views, noted=noted)
    location = {"Location": f"{request.base_url}/api/links/{views[0]['id']}"}
    return Answer(201, views[0], location, noted)


def _quota(caller: Caller) -> Quota:
    counts = LinkCounts(client("dynamodb"), setting("LINKS_TABLE"))
    return Quota(counts, caller.workspace_id, caller.plan.links_per_workspace, caller.plan.name)


def _refuse_unanswerable(items: list[dict[str, Any]], request: Request) -> None:
    """Raise ``InvalidRequest`` for links that no answer can hold, before they are written."""
    size = sum(sent_size(to_json(link_view(item, request.base_url))) for item in items)
    if size > BODY_LIMIT:
        raise InvalidRequest("The answer would exceed 6 MB; create fewer links in one request")


@api.route("GET", "/api/links", scope="linksRead", query=("limit", "cursor", *NAMES))
def list_(request: Request) -> Answer:
    """Live links, newest first, page by page."""
    query = request.query
    limit = whole_number(query.get("limit"), "limit", default=DEFAULT_LIMIT, most=MAX_LIMIT)
    only = LinkFilter.parse_query({name: query[name] for name in NAMES if name in query})
    workspace_id = request.caller.workspace_id
    after = None
    if "cursor" in query:
        try:
            after, fingerprint = tokens.read(
                "list", workspace_id, query["cursor"], secret=_secret()
            )
        except ValueError:
            raise InvalidRequest("The cursor is not one of this list") from None
        if fingerprint != only.fingerprint:
            raise InvalidRequest("The cursor belongs to another filter")

    def size_of(link: dict[str, Any]) -> int:
        # As Lambda sends it at worst: JSON in JSON, every other character escaped.
        return len(json.dumps(json.dumps(link_view(link, request.base_url)))) + 1

    page, last = list_links(
        workspace_id=workspace_id,
        limit=limit,
        after=after,
        links=_links(),
        deadline=request.deadline,
        only=only,
        size_of=size_of,
        budget=RequestBudget(
            workspace_id, request.caller.plan, access=access_table(), deadline=request.deadline
        ),
    )
    cursor = None
    if last is not None:
        cursor = tokens.sign("list", workspace_id, [last, only.fingerprint], secret=_secret())
    views = [link_view(link, request.base_url) for link in page]
    return Answer(200, {"links": views, "nextCursor": cursor}, noted={"ids": len(views)})


@api.route("GET", "/api/links/<link>", scope="linksRead")
def get(request: Request) -> Answer:
    """One live link, by id or short code."""
    link = find_link(
        request.path["link"],
        workspace_id=request.caller.workspace_id,
        links=_links(),
        deadline=request.deadline,
    )
    return Answer(200, link_view(link, request.base_url))


@api.route("PUT", "/api/links/<link>", scope="linksWrite")
def update(request: Request) -> Answer:
    """Change some fields of a live link, by id or short code.

    A key without ``linksRead`` gets back what it wrote and not the rest of the link.
    """
    changes = parse_link_changes(request.json(), request.caller.policies.app_schemes)
    link = update_link(
        request.path["link"],
        changes,
        workspace_id=request.caller.workspace_id,
        ours=own_addresses(request.event),
        links=_links(),
        deadline=request.deadline,
        policies=request.caller.policies,
    )
    view = link_view(link, request.base_url)
    if "linksRead" not in request.caller.scopes:
        view = {name: view[name] for name in ("id", *changes, "updatedAt")}
    return Answer(200, view, noted={"linkId": link["id"]})


def _secret() -> bytes:
    return secret(setting("CURSOR_SECRET_ARN"))


handler = api.handle
