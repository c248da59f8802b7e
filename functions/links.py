"""Creating, reading, updating and listing links, over HTTP."""

from __future__ import annotations

import json
from typing import Any

from functions.unlink import tokens
from functions.unlink.addresses import own_addresses
from functions.unlink.app_links import app_schemes_in
from functions.unlink.errors import InvalidRequest, StillRunning
from functions.unlink.filters import NAMES, LinkFilter
from functions.unlink.http import Answer, Api, Caller, Request, access_table, to_json
from functions.unlink.model import link_view, parse_link_changes, parse_new_links
from functions.unlink.parameters import whole_number
from functions.unlink.procedures.create_once import create_once
from functions.unlink.procedures.find import find_link
from functions.unlink.procedures.link_runs import KeyedRun
from functions.unlink.procedures.links import create_links, list_links, plan_links, update_link
from functions.unlink.procedures.read_budget import RequestBudget
from functions.unlink.response_size import BODY_LIMIT, sent_size
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.create_runs import CreateRun, CreateRuns, lease_has_lapsed
from functions.unlink.stores.idempotency import IdempotencyRecord
from functions.unlink.stores.link_counts import LinkCounts, Quota
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.secrets import secret

#: Page size of ``GET /api/links``.
DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


def _runs() -> CreateRuns:
    return CreateRuns(client("dynamodb"), setting("DELETIONS_TABLE"))


def _create_again(request: Request, record: IdempotencyRecord) -> Answer | None:
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
def create(request: Request) -> Answer:
    """Create one link (an object) or up to 1,000 (an array), all or none."""
    caller, links = request.caller, _links()
    new = parse_new_links(
        request.json(), caller.policies.app_schemes, most=caller.plan.links_per_create
    )
    key = request.idempotency_key

    def create_with(run: KeyedRun | None) -> list[dict[str, Any]]:
        return create_links(
            new,
            workspace_id=caller.workspace_id,
            user_id=caller.user_id,
            ours=own_addresses(request.event),
            links=links,
            deadline=request.deadline,
            run=run,
            policies=caller.policies,
            check=lambda items: _refuse_unanswerable(items, request),
            quota=_quota(caller),
        )

    if key is None:
        return _created(request, create_with(None))
    created = create_once(
        create_with,
        lambda run: plan_links(new, run, workspace_id=caller.workspace_id),
        len(new),
        key=key,
        workspace_id=caller.workspace_id,
        user_id=caller.user_id,
        table=_runs(),
        links=links,
        deadline=request.deadline,
    )
    return _created(request, created)


def _created(request: Request, created: list[dict[str, Any]]) -> Answer:
    views = [link_view(link, request.base_url) for link in created]
    noted = {"ids": len(views)}
    if isinstance(request.json(), list):
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
