"""Creating links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import container
from functions.api.caller import Caller
from functions.api.name_conflicts import explained_conflicts
from functions.api.request import Request
from functions.api.response import Response, to_json
from functions.api.response_size import BODY_LIMIT, sent_size
from functions.api.route import Described, Routes
from functions.domain.app_links import app_schemes_in
from functions.domain.errors import Conflict, InvalidRequest, ShortCodeTaken, StillRunning
from functions.domain.idempotency import IdempotencyRecord
from functions.domain.link import Link
from functions.domain.urls import own_hosts
from functions.repositories.create_runs import CreateRun, lease_has_expired
from functions.repositories.link_counts import Quota
from functions.repositories.links import LinksTable
from functions.schemas.link_views import link_view
from functions.services.create_links import create_links as create
from functions.services.create_links import plan_links
from functions.services.create_once import create_once
from functions.services.link_runs import KeyedRun

if TYPE_CHECKING:
    from functions.schemas import link_responses
    from functions.schemas.links import NewLink

routes = Routes("Links")


def _create_again(
    request: Request, record: IdempotencyRecord
) -> Response[link_responses.Link | list[link_responses.Link]] | None:
    """The links as they were created, from the run of the key and the request.

    None if that run was killed before it responded.
    """
    key, run = request.idempotency_key, CreateRun.read(record.details)
    if key is None or not run.answered:
        if not lease_has_expired(record.details):
            raise StillRunning
        return None
    workspace_id = request.caller.workspace_id
    keyed = KeyedRun(run, container.create_runs(workspace_id, key))
    # Imported here: the parser loads pydantic, which the routes that only read do not need.
    from functions.schemas.links import parse_new_links

    # Without the current policies: the links were allowed when they were created.
    new = parse_new_links(request.json, app_schemes_in(request.json))
    return _created(request, plan_links(new, keyed, workspace_id=workspace_id))


@routes.route("POST", "/api/links", scope="linksWrite", replay=_create_again)
@Described(
    status=201,
    text="The link, or the links in request order.",
    headers=("Location",),
    body="NewLinks",
    raises=(ShortCodeTaken, Conflict),
    leads_to={"/api/links/{id}": {"id": "id"}},
)
def create_links(request: Request) -> Response[link_responses.Link | list[link_responses.Link]]:
    """Create one link (an object) or up to 1,000 (an array), all or none.

    Without ``shortCode`` (or its other name ``customCode``) a random one is used.
    """
    from functions.schemas.links import parse_new_links

    caller, links = request.caller, container.links()
    new = parse_new_links(
        request.json, caller.policies.app_schemes, maximum=caller.plan.links_per_create
    )
    with explained_conflicts(caller, links):
        return _created(request, _create(request, new, links))


def _create(request: Request, new: list[NewLink], links: LinksTable) -> list[Link]:
    """The items of the new links, the same for a repeated request."""
    caller, key = request.caller, request.idempotency_key

    def create_with(run: KeyedRun | None) -> list[Link]:
        return create(
            new,
            workspace_id=caller.workspace_id,
            user_id=caller.user_id,
            own_hosts=own_hosts(request.event),
            links=links,
            run=run,
            policies=caller.policies,
            check=lambda items: _refuse_large_response(items, request),
            quota=_quota(caller),
        )

    if key is None:
        return create_with(None)
    return create_once(
        create_with,
        lambda run: plan_links(new, run, workspace_id=caller.workspace_id),
        len(new),
        user_id=caller.user_id,
        runs=container.create_runs(caller.workspace_id, key),
        links=links,
    )


def _created(
    request: Request, created: list[Link]
) -> Response[link_responses.Link | list[link_responses.Link]]:
    views = [link_view(link, request.base_url) for link in created]
    log_fields = {"ids": len(views)}
    if isinstance(request.json, list):
        return Response(201, views, log_fields=log_fields)
    location = request.location(f"/api/links/{views[0]['id']}")
    return Response(201, views[0], location, log_fields)


def _quota(caller: Caller) -> Quota:
    counts = container.link_counts()
    return Quota(counts, caller.workspace_id, caller.plan.links_per_workspace, caller.plan.name)


def _refuse_large_response(items: list[Link], request: Request) -> None:
    """Raise ``InvalidRequest``, before writing, for links that do not fit a response."""
    size = sum(sent_size(to_json(link_view(item, request.base_url))) for item in items)
    if size > BODY_LIMIT:
        raise InvalidRequest("The response would exceed 6 MB; create fewer links in one request")
