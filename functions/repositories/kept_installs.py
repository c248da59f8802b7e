"""Installs of erased links, if their workspace keeps them: platform and day only.

Items in the ``clicks`` table: ``INSTALLS#{workspaceId}``, ``INSTALL#{day}#{digest}`` →
``platform``. The digest distinguishes installs and makes a repeated write safe. It is the SHA-256
of the link's id and the install's key. Neither is stored, so the digest does not identify them.
Device, app version, times, link, click and the install's own id are removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from functions.aws.dynamodb import Table
from functions.repositories.clicks import ClicksTable

#: The prefix of the sort keys of installs, under a link and under a workspace.
PREFIX = "INSTALL#"

#: Kept installs that are read and deleted at a time.
PAGE = 1_000


def detached_installs(workspace_id: str, page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kept form of the installs among these items of a link (in DynamoDB's JSON)."""
    return [_detached(workspace_id, item) for item in page if item["sk"]["S"].startswith(PREFIX)]


def _detached(workspace_id: str, item: dict[str, Any]) -> dict[str, Any]:
    link_id, key = item["pk"]["S"], item["sk"]["S"]
    # INSTALL#2026-01-31T12:00:00.000Z#{id}
    day = key.removeprefix(PREFIX)[:10]
    digest = hashlib.sha256(f"{link_id} {key}".encode()).hexdigest()[:32]
    return {
        "pk": {"S": _partition(workspace_id)},
        "sk": {"S": f"{PREFIX}{day}#{digest}"},
        # Every install has one.
        "platform": item.get("platform", {"S": "other"}),
    }


class KeptInstalls(Table):
    """The kept installs, for operators to count and purge."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._clicks = ClicksTable(client, name)

    def purge(self, workspace_id: str) -> int:
        """Delete every kept install of a workspace; how many there were.

        Safe to repeat: a run that ends at the deadline (``Unavailable``) has deleted some of them.
        """
        purged = 0
        page: list[dict[str, Any]] = []
        for item in self._items_of(_partition(workspace_id), ProjectionExpression="pk, sk"):
            page.append(item)
            if len(page) == PAGE:
                purged += self._delete(page)
                page = []
        return purged + self._delete(page)

    def _delete(self, page: Sequence[dict[str, Any]]) -> int:
        self._clicks.write(delete=page)
        return len(page)


def _partition(workspace_id: str) -> str:
    return f"INSTALLS#{workspace_id}"
