# Generated from unlink_client/aio by generate_sync.py: change that.

"""The client as a whole."""

from __future__ import annotations

from unlink_client.sync.account import Account
from unlink_client.sync.deletions import Deletions


class Unlink(Deletions, Account):
    """A client of one Unlink service.

    ::

        with Unlink("https://go.example.com", key) as unlink:
            plan = unlink.plan(tag="tour", max_clicks=0)
            deletion = unlink.apply(plan, reason="the tour is over")
            deletion.wait()
    """
