"""The client as a whole."""

from __future__ import annotations

from unlink_client.aio.account import AsyncAccount
from unlink_client.aio.deletions import AsyncDeletions


class AsyncUnlink(AsyncDeletions, AsyncAccount):
    """A client of one Unlink service.

    ::

        async with AsyncUnlink("https://go.example.com", key) as unlink:
            plan = await unlink.plan(tag="tour", max_clicks=0)
            deletion = await unlink.apply(plan, reason="the tour is over")
            await deletion.wait()
    """
