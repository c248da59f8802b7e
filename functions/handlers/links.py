"""Creating, reading, updating and listing links, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from functions.api import cursors
from functions.api.app import Api, Caller, Request, Response, access_table, to_json
from functions.api.response_size import BODY_LIMIT, sent_size
from functions.aws.client import client
from functions.aws.secrets import secret
from functions.config import setting
from functions.domain.app_links import app_schemes_in
from functions.domain.errors import Conflict, InvalidRequest, StillRunning
from functions.domain.query_params import parse_int_param
from functions.domain.urls import own_hosts
from functions.repositories.create_runs import CreateRun, CreateRuns, lease_has_lapsed
from functions.repositories.idempotency import IdempotencyRecord
from functions.repositories.link_counts import LinkCounts, Quota
from functions.repositories.links import LinksTable
from functions.schemas.filters import NAMES, LinkFilter
from functions.schemas.links import (
    NewLink,
    link_view,
    parse_link_changes,
    parse_new_links,
    written_view,
)
from functions.services.create_once import create_once
from functions.services.link_lookup import find_link
from functions.services.link_runs import KeyedRun
from functions.services.links import create_links, list_links, plan_links, update_link
from functions.services.name_conflicts import explain_conflict
from functions.services.read_budget import RequestBudget

if TYPE_CHECKING:
    from functions.schemas import link_responses

#: Page size of ``GET /api/links``.
DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


def _runs() -> CreateRuns:
    return CreateRuns(client("dynamodb"), setting("DELETIONS_TABLE"))


def _create_again(
    request: Request, record: IdempotencyRecord
) -> Response[link_responses.Link | list[link_responses.Link]] | None:
    """The links as they were made, from the run of the key and from the request itself.

    None when that run died before it answered.
    """
    key, run = request.idempotency_key, CreateRun.read(record.details)
    if key is None or not run.answered:
        if not lease_has_lapsed(record.details):
            raise StillRunning
        return None
    workspace_id = request.caller.workspace_id
    keyed = KeyedRun(run, key, workspace_id, _runs())
    # Whatever the workspace may do now: the links were allowed when they were made.
    new = parse_new_links(request.json(), app_schemes_in(request.json()))
    return _created(request, plan_links(new, keyed, workspace_id=workspace_id))


@api.route("POST", "/api/links", scope="linksWrite", replay=_create_again)
def create(request: Request) -> Response[link_responses.Link | list[link_responses.Link]]:
    """Create one link (an object) or up to 1,000 (an array), all or none."""
    caller, links = request.caller, _links()
    new = parse_new_links(
        request.json(), caller.policies.app_schemes, maximum=caller.plan.links_per_create
    )
    with explained_conflicts(caller, links):
        return _created(request, _create(request, new, links))


def _create(request: Request, new: list[NewLink], links: LinksTable) -> list[dict[str, Any]]:
    """The items of the new links, however often the request comes."""
    caller, key = request.caller, request.idempotency_key

    def create_with(run: KeyedRun | None) -> list[dict[str, Any]]:
        return create_links(
            new,
            workspace_id=caller.workspace_id,
            user_id=caller.user_id,
            own_hosts=own_hosts(request.event),
            links=links,
            run=run,
            policies=caller.policies,
            check=lambda items: _refuse_unanswerable(items, request),
            quota=_quota(caller),
        )

    if key is None:
        return create_with(None)
    return create_once(
        create_with,
        lambda run: plan_links(new, run, workspace_id=caller.workspace_id),
        len(new),
        key=key,
        workspace_id=caller.workspace_id,
        user_id=caller.user_id,
        table=_runs(),
        links=links,
    )


@contextmanager
def explained_conflicts(caller: Caller, links: LinksTable) -> Iterator[None]:
    """Let a conflict say what has the code or external id, to a key that may read links."""
    try:
        yield
    except Conflict as conflict:
        if "linksRead" in caller.scopes:
            explain_conflict(conflict, workspace_id=caller.workspace_id, links=links)
        raise


def _created(
    request: Request, created: list[dict[str, Any]]
) -> Response[link_responses.Link | list[link_responses.Link]]:
    views = [link_view(link, request.base_url) for link in created]
    log_fields = {"ids": len(views)}
    if isinstance(request.json(), list):
        return Response(201, views, log_fields=log_fields)
    location = request.location(f"/api/links/{views[0]['id']}")
    return Response(201, views[0], location, log_fields)


def _quota(caller: Caller) -> Quota:
    counts = LinkCounts(client("dynamodb"), setting("LINKS_TABLE"))
    return Quota(counts, caller.workspace_id, caller.plan.links_per_workspace, caller.plan.name)


def _refuse_unanswerable(items: list[dict[str, Any]], request: Request) -> None:
    """Raise ``InvalidRequest`` for links that no answer can hold, before they are written."""
    size = sum(sent_size(to_json(link_view(item, request.base_url))) for item in items)
    if size > BODY_LIMIT:
        raise InvalidRequest("The answer would exceed 6 MB; create fewer links in one request")


@api.route("GET", "/api/links", scope="linksRead", query=("limit", "cursor", *NAMES))
def list_(request: Request) -> Response[link_responses.LinkPage]:
    """Live links, newest first, page by page."""
    query = request.query
    limit = parse_int_param(query.get("limit"), "limit", default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    only = LinkFilter.parse_query({name: query[name] for name in NAMES if name in query})
    workspace_id = request.caller.workspace_id
    after = None
    if "cursor" in query:
        try:
            after, fingerprint = cursors.read(
                "list", workspace_id, query["cursor"], secret=_secret()
            )
        except ValueError:
            raise InvalidRequest("Invalid cursor") from None
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
        only=only,
        size_of=size_of,
        budget=RequestBudget(workspace_id, request.caller.plan, access=access_table()),
    )
    cursor = None
    if last is not None:
        cursor = cursors.sign("list", workspace_id, [last, only.fingerprint], secret=_secret())
    views = [link_view(link, request.base_url) for link in page]
    return Response(200, {"links": views, "nextCursor": cursor}, log_fields={"ids": len(views)})


@api.route("GET", "/api/links/<link>", scope="linksRead")
def get(request: Request) -> Response[link_responses.Link]:
    """One live link, by id or short code."""
    link = find_link(
        request.path["link"],
        workspace_id=request.caller.workspace_id,
        links=_links(),
    )
    return Response(200, link_view(link, request.base_url))


@api.route("PUT", "/api/links/<link>", scope="linksWrite")
def update(request: Request) -> Response[link_responses.Link | link_responses.WrittenLink]:
    """Change some fields of a live link, by id or short code.

    A key without ``linksRead`` gets back what it wrote and not the rest of the link.
    """
    changes = parse_link_changes(request.json(), request.caller.policies.app_schemes)
    links = _links()
    with explained_conflicts(request.caller, links):
        link = update_link(
            request.path["link"],
            changes,
            workspace_id=request.caller.workspace_id,
            own_hosts=own_hosts(request.event),
            links=links,
            policies=request.caller.policies,
        )
    view = link_view(link, request.base_url)
    fields = {"linkId": link["id"]}
    if "linksRead" not in request.caller.scopes:
        return Response(200, written_view(view, changes), log_fields=fields)
    return Response(200, view, log_fields=fields)


def _secret() -> bytes:
    return secret(setting("CURSOR_SECRET_ARN"))


handler = api.handle
