"""Requests about deletions."""

from __future__ import annotations

from typing import Any

from functions.handlers import deletions
from tests.conftest import World


def send(world: World, route: str, **event: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The response of a route of deletions: status, body and headers."""
    reply = world.send(deletions, route, **event)
    return reply.status, reply.json(), reply.headers


def ask(world: World, body: Any, **event: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The response to a new deletion."""
    return send(world, "POST /api/deletions", body=body, **event)


class NoReads:
    """A budget that is spent: the filter is resolved in the background."""

    def open(self) -> None:
        pass

    def take(self, links: int) -> bool:
        return False
