"""Conflicts over short codes and external ids, as a caller may see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from functions.api.caller import Caller
from functions.domain.errors import Conflict
from functions.repositories.links import LinksTable
from functions.services.name_conflicts import explain_conflict


@contextmanager
def explained_conflicts(caller: Caller, links: LinksTable) -> Iterator[None]:
    """Add to a conflict what uses the code or external id, if the key may read links."""
    try:
        yield
    except Conflict as conflict:
        if "linksRead" in caller.scopes:
            explain_conflict(conflict, workspace_id=caller.workspace_id, links=links)
        raise
