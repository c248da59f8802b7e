"""The link that a path names."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api.request import Request
from functions.services.link_lookup import find_link


def find_link_of(request: Request) -> dict[str, Any]:
    return find_link(
        request.path["link"],
        workspace_id=request.caller.workspace_id,
        links=container.links(),
        deleted=True,
    )
