"""Installs of apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import container
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import Conflict, LinkNotFound, NotFound
from functions.domain.idempotency import IdempotencyRecord
from functions.services.installs import record_install, recorded_install

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Install

routes = Routes("Analytics")


def _install_again(request: Request, record: IdempotencyRecord) -> Response[Install]:
    # Imported here: the parser loads pydantic, which the function's other routes do not need.
    from functions.schemas.installs import parse_new_install

    recorded = recorded_install(
        parse_new_install(request.json),
        record,
        installs=container.installs(),
    )
    return Response(201, recorded, log_fields={"linkId": recorded["linkId"]})


@routes.route("POST", "/api/installs", scope="linksWrite", replay=_install_again)
@Described(status=201, body="NewInstall", raises=(LinkNotFound, NotFound, Conflict), atomic=True)
def create_install(request: Request) -> Response[Install]:
    """Record an install, attributed to a live link.

    Attributed to the given click, or to the last click of the given link. The click must be at most
    7 days older than the install, else 409.
    """
    from functions.schemas.installs import parse_new_install

    recorded = record_install(
        parse_new_install(request.json),
        workspace_id=request.caller.workspace_id,
        key=request.idempotency_key,
        keys=container.idempotency(),
        links=container.links(),
        installs=container.installs(),
    )
    return Response(201, recorded, log_fields={"linkId": recorded["linkId"]})
