"""The ``access`` table: API keys, workspaces and their policies, rate windows.

Items (``pk``, ``sk``):

- key: ``KEY#{sha256}``, ``KEY`` → ``keyId, workspaceId, userId, scopes, name, createdAt,
  expiresAt, revokedAt``. The secret itself is never stored.
- workspace: ``WS#{workspaceId}``, ``WORKSPACE`` → ``plan, usageKey`` and policies; its keys are
  listed as ``WS#{workspaceId}``, ``KEY#{keyId}``.
- rate window: ``RATE#{identity}#{minute}``, ``RATE`` → ``requests``, removed by TTL.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from functions.unlink.clock import Deadline, now_iso
from functions.unlink.errors import RateLimited
from functions.unlink.keys import hash_api_key
from functions.unlink.plans import Plan
from functions.unlink.stores.client import ConditionFailed, call
from functions.unlink.stores.items import from_item, to_item

#: Length of a rate window in seconds; windows are aligned to the clock's minutes.
WINDOW = 60


@dataclass(frozen=True, slots=True)
class RateWindow:
    """Where a caller stands: ``reset`` is the end of the window in Unix seconds."""

    limit: int
    remaining: int
    reset: int

    @property
    def seconds_left(self) -> int:
        """Whole seconds until the window ends, at least 1."""
        return max(1, math.ceil(self.reset - time.time()))


class AccessTable:
    """Who may, and how often."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    # -- authorizer -------------------------------------------------------------------------

    def find_key(self, key: str, *, deadline: Deadline) -> dict[str, Any] | None:
        """The record of an API key, found by its hash; None when there is none."""
        return self._get(f"KEY#{hash_api_key(key)}", "KEY", deadline)

    def workspace(self, workspace_id: str, *, deadline: Deadline) -> dict[str, Any] | None:
        """The workspace's plan and policies."""
        return self._get(f"WS#{workspace_id}", "WORKSPACE", deadline)

    def _get(self, pk: str, sk: str, deadline: Deadline) -> dict[str, Any] | None:
        item = call(
            self._client.get_item,
            deadline=deadline,
            TableName=self.name,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            ConsistentRead=True,
        ).get("Item")
        return from_item(item) if item else None

    # -- limiter ----------------------------------------------------------------------------

    def count_request(self, identity: str, plan: Plan, *, deadline: Deadline) -> RateWindow:
        """Count one request of a key or session in its minute window, in one write.

        Raises ``RateLimited`` with the seconds really left when the window is full.
        """
        minute = int(time.time()) // WINDOW
        window = RateWindow(plan.requests_per_minute, 0, (minute + 1) * WINDOW)
        # The count itself is the condition: parallel callers can never pass the limit together.
        window_has_room = "attribute_not_exists(requests) OR requests < :limit"
        try:
            answer = call(
                self._client.update_item,
                deadline=deadline,
                TableName=self.name,
                Key={"pk": {"S": f"RATE#{identity}#{minute}"}, "sk": {"S": "RATE"}},
                UpdateExpression="ADD requests :one SET #ttl=:ttl",
                ConditionExpression=window_has_room,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(plan.requests_per_minute)},
                    ":ttl": {"N": str((minute + 2) * WINDOW)},
                },
                ReturnValues="UPDATED_NEW",
            )
        except ConditionFailed:
            raise RateLimited(window.seconds_left) from None
        used = int(answer["Attributes"]["requests"]["N"])
        return RateWindow(window.limit, max(0, window.limit - used), window.reset)

    # -- administration ---------------------------------------------------------------------

    def put_workspace(
        self, workspace_id: str, *, plan: str, usage_key: str, **policies: Any
    ) -> None:
        """Create or replace a workspace; ``usage_key`` is its API Gateway key's value."""
        self._put(
            {
                "pk": f"WS#{workspace_id}",
                "sk": "WORKSPACE",
                "workspaceId": workspace_id,
                "plan": plan,
                "usageKey": usage_key,
                "createdAt": now_iso(),
            }
            | policies
        )

    def put_key(
        self,
        key: str,
        *,
        key_id: str,
        workspace_id: str,
        scopes: list[str],
        user_id: str,
        name: str,
        expires_at: str | None = None,
    ) -> None:
        """Store what is known of a new API key; the key itself is not."""
        record = {
            "keyId": key_id,
            "workspaceId": workspace_id,
            "userId": user_id,
            "scopes": scopes,
            "name": name,
            "createdAt": now_iso(),
            "expiresAt": expires_at,
        }
        digest = hash_api_key(key)
        self._put({"pk": f"KEY#{digest}", "sk": "KEY"} | record)
        self._put({"pk": f"WS#{workspace_id}", "sk": f"KEY#{key_id}", "hash": digest} | record)

    def _put(self, record: dict[str, Any]) -> None:
        call(
            self._client.put_item,
            deadline=Deadline(10),
            TableName=self.name,
            Item=to_item(record),
        )
