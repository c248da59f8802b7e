"""The link that a path names."""

from __future__ import annotations

from functions import container
from functions.api.request import Request
from functions.domain.link import Link
from functions.services.link_lookup import find_link


def find_link_of(request: Request) -> Link:
    return find_link(
        request.path["id"],
        workspace_id=request.caller.workspace_id,
        links=container.links(),
        deleted=True,
    )
