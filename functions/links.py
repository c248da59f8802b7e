"""Creating, reading, updating and listing links, over HTTP."""

from __future__ import annotations

import json
from typing import Any

from functions.unlink import tokens
from functions.unlink.addresses import own_addresses
from functions.unlink.clock import Deadline
from functions.unlink.errors import Conflict, InvalidRequest
from functions.unlink.filters import NAMES, LinkFilter
from functions.unlink.http import Answer, Api, Request
from functions.unlink.ids import new_link_ids
from functions.unlink.model import link_view, parse_link_changes, parse_new_links
from functions.unlink.parameters import whole_number
from functions.unlink.procedures.find import find_link
from functions.unlink.procedures.links import create_links, list_links, update_link
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.requests import Claim, RequestsTable
from functions.unlink.stores.secrets import secret

#: Page size of ``GET /api/links``.
DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


#: What noting an answer for its repetition may take, in seconds.
NOTE_PATIENCE = 1.5


@api.route("POST", "/api/links", scope="linksWrite")
def create(request: Request) -> Answer:
    """Create one link (an object) or up to 1,000 (an array), all or none."""
    key = request.idempotency_key()
    if key is None:
        return _create(request, None)
    requests = RequestsTable(client("dynamodb"), setting("LINKS_TABLE"))
    workspace_id = request.caller.workspace_id
    claim = requests.claim(workspace_id, key, deadline=request.deadline)
    if claim.made is not None:
        return _created_before(request, claim.link_ids(claim.made))
    try:
        answer = _create(request, claim)
    except BaseException:
        # A refusal changed nothing, so its repetition may well be welcome.
        requests.release(workspace_id, key, claim, deadline=Deadline(NOTE_PATIENCE))
        raise
    made = int(answer.noted["ids"])
    requests.answered(workspace_id, key, claim, made, deadline=Deadline(NOTE_PATIENCE))
    return answer


def _create(request: Request, claim: Claim | None) -> Answer:
    body = request.json()
    created = create_links(
        parse_new_links(body),
        workspace_id=request.caller.workspace_id,
        user_id=request.caller.user_id,
        ours=own_addresses(request.event),
        links=_links(),
        deadline=request.deadline,
        link_ids=claim.link_ids if claim else new_link_ids,
        policies=request.caller.policies,
    )
    return _made(request, created, many=isinstance(body, list))


def _created_before(request: Request, link_ids: list[str]) -> Answer:
    """The links that the same request made, as they are now."""
    found = _links().get_many(request.caller.workspace_id, link_ids, deadline=request.deadline)
    if any(link_id not in found or "livePk" not in found[link_id] for link_id in link_ids):
        # Nothing of a deleted link is kept to answer with, and making it again is not asked for.
        raise Conflict("What this request created has been deleted since")
    links = [found[link_id] for link_id in link_ids]
    return _made(request, links, many=isinstance(request.json(), list))


def _made(request: Request, links: list[dict[str, Any]], *, many: bool) -> Answer:
    views = [link_view(link, request.base_url) for link in links]
    noted = {"ids": len(views)}
    if many:
        return Answer(201, views, noted=noted)
    return Answer(201, views[0], request.location(f"/api/links/{views[0]['id']}"), noted)


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
    """Change some fields of a live link, by id or short code."""
    link = update_link(
        request.path["link"],
        parse_link_changes(request.json()),
        workspace_id=request.caller.workspace_id,
        ours=own_addresses(request.event),
        links=_links(),
        deadline=request.deadline,
        policies=request.caller.policies,
    )
    return Answer(200, link_view(link, request.base_url), noted={"linkId": link["id"]})


def _secret() -> bytes:
    return secret(setting("CURSOR_SECRET_ARN"))


handler = api.handle
