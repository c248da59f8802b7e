"""The ``access`` table: API keys, members, workspaces and their policies, rate windows.

Items (``pk``, ``sk``):

- key: ``KEY#{sha256}``, ``KEY``: see :mod:`~functions.repositories.api_keys`.
- member: ``USER#{userId}``, ``MEMBER`` → ``workspaceId, userId, role, email, createdAt``. The key
  has only the user's id, so a user is a member of one workspace at most.
- workspace: ``WS#{workspaceId}``, ``WORKSPACE`` → ``plan, usageKey, usageKeyId`` and policies.
  Its members are listed as ``WS#{workspaceId}``, ``MEMBER#{userId}``; it is itself listed
  as ``WORKSPACES``, ``{workspaceId}``.
- rate window: ``RATE#{identity}#{minute}``, ``RATE`` → ``requests``, removed by TTL.
"""

import math
import time
from typing import Any, NamedTuple

from functions.aws.calls import ConditionFailed, TransactionCancelled, call
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table, transact
from functions.domain.api_keys import hash_api_key
from functions.domain.clock import iso, now_iso
from functions.domain.errors import RateLimited
from functions.domain.plans import Plan
from functions.domain.policies import NAMES, Policies

#: Length of a rate window in seconds; windows are aligned to the clock's minutes.
WINDOW = 60

#: Resolution of ``lastUsedAt`` in seconds: a busy key is written once in this time.
LAST_USED_STEP = 3_600


class AlreadyExists(Exception):
    """A workspace, key or membership with this id exists."""


class Unknown(Exception):
    """No such workspace, key or member."""


class RateWindow(NamedTuple):
    """The state of a rate window; ``reset`` is its end in Unix seconds."""

    limit: int
    remaining: int
    reset: int

    @property
    def seconds_left(self) -> int:
        """Whole seconds until the window ends, at least 1."""
        return max(1, math.ceil(self.reset - time.time()))


class AccessTable(Table):
    """Credentials, workspaces and rate windows."""

    # -- authorizer -------------------------------------------------------------------------

    def find_key(self, key: str) -> dict[str, Any] | None:
        """The record of an API key, found by its hash; None when there is none."""
        return self._get(f"KEY#{hash_api_key(key)}", "KEY")

    def member(self, user_id: str) -> dict[str, Any] | None:
        """The membership of a user; None for a user of no workspace."""
        return self._get(f"USER#{user_id}", "MEMBER")

    def workspace(self, workspace_id: str) -> dict[str, Any] | None:
        """The workspace's plan and policies."""
        return self._get(f"WS#{workspace_id}", "WORKSPACE")

    def note_use(self, record: dict[str, Any]) -> None:
        """Record when a key was last used, to the hour: at most one write per key and hour.

        ``record`` is the result of :meth:`find_key`; most calls see there that no write is needed.
        """
        step = iso(int(time.time()) // LAST_USED_STEP * LAST_USED_STEP)
        if record.get("lastUsedAt", "") >= step:
            return
        # Only an existing key, and only the first of parallel uses in the hour.
        not_noted_yet = (
            "attribute_exists(pk) AND (attribute_not_exists(lastUsedAt) OR lastUsedAt<:step)"
        )
        self._update_item(
            primary_key(record["pk"], record["sk"]),
            "SET lastUsedAt=:step",
            condition=not_noted_yet,
            values={":step": {"S": step}},
        )

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        item = self._read_item(primary_key(pk, sk))
        return from_item(item) if item else None

    # -- limiter ----------------------------------------------------------------------------

    def count_request(self, identity: str, plan: Plan) -> RateWindow:
        """Count one request of a key or session in its minute window, in one write.

        Raises ``RateLimited`` with the seconds left if the window is full.
        """
        minute = int(time.time()) // WINDOW
        window = RateWindow(plan.requests_per_minute, 0, (minute + 1) * WINDOW)
        used = self._add(identity, 1, window.limit, minute)
        if used is None:
            raise RateLimited(window.seconds_left, reset=window.reset)
        return RateWindow(window.limit, max(0, window.limit - used), window.reset)

    def charge_reads(self, workspace_id: str, links: int, *, limit: int) -> int | None:
        """Count the links that a filter will read in the workspace's minute, in one write.

        None if they fit, else the seconds until the next minute; then nothing was counted.
        """
        minute = int(time.time()) // WINDOW
        if self._add(f"reads#{workspace_id}", links, limit, minute) is not None:
            return None
        return RateWindow(limit, 0, (minute + 1) * WINDOW).seconds_left

    def _add(self, identity: str, amount: int, limit: int, minute: int) -> int | None:
        """Add to a window and return its sum, or None if that would exceed ``limit``."""
        # The condition is on the count itself, so parallel callers cannot exceed the limit.
        window_has_room = "attribute_not_exists(requests) OR requests <= :room"
        try:
            response = call(
                self._client.update_item,
                TableName=self.name,
                Key=primary_key(f"RATE#{identity}#{minute}", "RATE"),
                UpdateExpression="ADD requests :amount SET #ttl=:ttl",
                ConditionExpression=window_has_room,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":amount": {"N": str(amount)},
                    ":room": {"N": str(limit - amount)},
                    ":ttl": {"N": str((minute + 2) * WINDOW)},
                },
                ReturnValues="UPDATED_NEW",
            )
        except ConditionFailed:
            return None
        return int(response["Attributes"]["requests"]["N"])

    # -- administration: workspaces -----------------------------------------------------------

    def create_workspace(
        self,
        workspace_id: str,
        *,
        plan: str,
        usage_key: str,
        usage_key_id: str,
        policies: Policies,
    ) -> None:
        """Create a workspace; ``usage_key`` is the value of its API Gateway key, and its id.

        Raises :class:`AlreadyExists`, having changed nothing.
        """
        record = {
            "workspaceId": workspace_id,
            "plan": plan,
            "usageKey": usage_key,
            "usageKeyId": usage_key_id,
            "createdAt": now_iso(),
        } | policies.stored()
        self._create(
            primary_key(f"WS#{workspace_id}", "WORKSPACE") | to_item(record),
            primary_key("WORKSPACES", workspace_id),
        )

    def set_workspace(
        self,
        workspace_id: str,
        *,
        plan: str | None = None,
        policies: Policies,
        before: Policies | None = None,
    ) -> None:
        """Change a workspace's plan and policies; raises :class:`Unknown`.

        With ``before``, the policies as they were read, only the differences are written, and
        without ``plan`` the plan is unchanged. So two operators can change different settings at
        once. Without ``before`` every policy is written.
        """
        after, old = policies.stored(), before.stored() if before else None
        changed = [
            name for name in NAMES.values() if old is None or after.get(name) != old.get(name)
        ]
        values = {name: after[name] for name in changed if name in after}
        if plan is not None:
            values["plan"] = plan
        dropped = [name for name in changed if name not in after]
        expression = ""
        if values:
            expression += f"SET {', '.join(f'#{name}=:{name}' for name in values)}"
        if dropped:
            expression += f" REMOVE {', '.join(f'#{name}' for name in dropped)}"
        if not expression:
            if self.workspace(workspace_id) is None:
                raise Unknown
            return
        workspace_exists = "attribute_exists(pk)"
        refused = self._update_item(
            primary_key(f"WS#{workspace_id}", "WORKSPACE"),
            expression,
            condition=workspace_exists,
            values=to_item({f":{name}": value for name, value in values.items()}),
        )
        if refused is not None:
            raise Unknown

    def workspace_ids(self) -> list[str]:
        """Every workspace, in the order of their ids."""
        return [item["sk"]["S"] for item in self._items_of("WORKSPACES")]

    # -- administration: members --------------------------------------------------------------

    def put_member(
        self, user_id: str, *, workspace_id: str, role: str, email: str | None = None
    ) -> dict[str, Any]:
        """Add a member or change its role; returns the new membership.

        A member keeps ``createdAt``, and ``email`` if no new one is given. Raises
        :class:`AlreadyExists` for a member of another workspace.
        """
        values = {":user": user_id, ":workspace": workspace_id, ":role": role, ":now": now_iso()}
        expression = (
            "SET userId=:user, workspaceId=:workspace, #role=:role,"
            " createdAt=if_not_exists(createdAt,:now)"
        )
        if email is not None:
            expression += ", email=:email"
            values[":email"] = email
        # A session names no workspace, so its user may have only one.
        member_of_no_other = "attribute_not_exists(pk) OR workspaceId=:workspace"
        member = self._update_action(
            primary_key(f"USER#{user_id}", "MEMBER"),
            expression,
            condition=member_of_no_other,
            values=to_item(values),
        )
        listed = {
            "TableName": self.name,
            "Item": primary_key(f"WS#{workspace_id}", f"MEMBER#{user_id}"),
        }
        try:
            transact(self._client, [member, {"Put": listed}])
        except TransactionCancelled:
            raise AlreadyExists from None
        current = self.member(user_id)
        if current is None or current["workspaceId"] != workspace_id:
            # Another operator removed it in the meantime.
            raise Unknown
        return current

    def members(self, workspace_id: str) -> list[dict[str, Any]]:
        """The members of a workspace, oldest first."""
        listed = self._items_of(f"WS#{workspace_id}", "MEMBER#")
        members = self._read_items(
            [item["sk"]["S"].partition("#")[2] for item in listed],
            keys=lambda batch: [primary_key(f"USER#{user_id}", "MEMBER") for user_id in batch],
            decode=from_item,
        )
        return sorted(members, key=lambda record: str(record["createdAt"]))

    def remove_member(self, user_id: str, *, workspace_id: str) -> None:
        """End a membership; raises :class:`Unknown`."""
        member_of_this = {
            "TableName": self.name,
            "Key": primary_key(f"USER#{user_id}", "MEMBER"),
            "ConditionExpression": "workspaceId=:workspace",
            "ExpressionAttributeValues": {":workspace": {"S": workspace_id}},
        }
        listed = {
            "TableName": self.name,
            "Key": primary_key(f"WS#{workspace_id}", f"MEMBER#{user_id}"),
        }
        try:
            transact(self._client, [{"Delete": member_of_this}, {"Delete": listed}])
        except TransactionCancelled:
            raise Unknown from None

    # -- shared -------------------------------------------------------------------------------

    def _create(self, *items: dict[str, Any]) -> None:
        """Put new items, all or none."""
        try:
            transact(self._client, [self._create_action(item) for item in items])
        except TransactionCancelled:
            raise AlreadyExists from None
