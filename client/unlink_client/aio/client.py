"""The client as a whole."""

from __future__ import annotations

from typing import Any

from unlink_client import operations
from unlink_client.aio.deletions import AsyncDeletions
from unlink_client.models import Me


class AsyncUnlink(AsyncDeletions):
    """A client of one Unlink service.

    ::

        async with AsyncUnlink("https://go.example.com", key) as unlink:
            plan = await unlink.plan(tag="tour", max_clicks=0)
            deletion = await unlink.apply(plan, reason="the tour is over")
            await deletion.wait()
    """

    async def me(self) -> Me:
        """Who calls: the workspace, the rights, the plan and what is left of the minute."""
        return await self.send(operations.get_me())

    async def open_api(self) -> dict[str, Any]:
        """The OpenAPI document of the service; it needs no key."""
        return await self.send(operations.get_open_api())
