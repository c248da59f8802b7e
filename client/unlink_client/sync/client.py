# Generated from unlink_client/aio by generate_sync.py: change that.

"""The client as a whole."""

from __future__ import annotations

from typing import Any

from unlink_client import operations
from unlink_client.models import Me
from unlink_client.sync.deletions import Deletions


class Unlink(Deletions):
    """A client of one Unlink service.

    ::

        with Unlink("https://go.example.com", key) as unlink:
            plan = unlink.plan(tag="tour", max_clicks=0)
            deletion = unlink.apply(plan, reason="the tour is over")
            deletion.wait()
    """

    def me(self) -> Me:
        """Who calls: the workspace, the rights, the plan and what is left of the minute."""
        return self.send(operations.get_me())

    def open_api(self) -> dict[str, Any]:
        """The OpenAPI document of the service; it needs no key."""
        return self.send(operations.get_open_api())
