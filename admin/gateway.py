"""One API Gateway key for each workspace, in the usage plan of its plan.

It is not a credential, and callers never see it. The authorizer returns it for every request of the
workspace, so that the gateway counts the request against the workspace's plan.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

NAME_PREFIX = "workspace-"
#: With the id of a usage plan, which exists as long as the workspace's stack.
DESCRIPTION = "Counts a workspace's requests; the authorizer names it. Created for usage plan"


class UsageKeys:
    """Creates, moves and removes usage keys. `client` is a boto3 client of `apigateway`."""

    def __init__(self, client: Any, usage_plans: Mapping[str, str]) -> None:
        """`usage_plans`: the id of the usage plan of every plan."""
        self._client = client
        self._usage_plans = dict(usage_plans)

    def create(self, workspace_id: str, plan: str) -> tuple[str, str]:
        """A new key in its usage plan: (id, value)."""
        value = secrets.token_urlsafe(32)
        created = self._client.create_api_key(
            name=f"{NAME_PREFIX}{workspace_id}",
            description=f"{DESCRIPTION} {self._usage_plans[plan]}",
            value=value,
            enabled=True,
        )
        key_id = str(created["id"])
        try:
            self.move(key_id, plan)
        except BaseException:
            self.delete(key_id)
            raise
        return key_id, value

    def move(self, key_id: str, plan: str) -> None:
        """Leave the key in this plan's usage plan only.

        A key may be in only one usage plan of a stage, so it is removed before it is added. In
        between, the workspace's requests are refused. Repeating the call completes an interrupted
        one.
        """
        for other, usage_plan in self._usage_plans.items():
            if other != plan:
                with suppress(self._client.exceptions.NotFoundException):
                    self._client.delete_usage_plan_key(usagePlanId=usage_plan, keyId=key_id)
        with suppress(self._client.exceptions.ConflictException):
            self._client.create_usage_plan_key(
                usagePlanId=self._usage_plans[plan], keyId=key_id, keyType="API_KEY"
            )

    def delete(self, key_id: str) -> None:
        """Remove a key without a workspace."""
        with suppress(self._client.exceptions.NotFoundException):
            self._client.delete_api_key(apiKey=key_id)


def remove_orphans(client: Any, *, delete: bool) -> list[dict[str, Any]]:
    """The usage keys of deleted stacks, and delete them if `delete` is true.

    Deleting a stack deletes its usage plans, and leaves their keys. A key of an existing stack may
    be in no plan too: after a change of plan that was interrupted.
    """
    orphans = []
    pages = client.get_paginator("get_api_keys").paginate(nameQuery=NAME_PREFIX, limit=500)
    keys = [each for page in pages for each in page["items"]]
    # Read after the keys: a stack that was deployed in between has its plans, and none of the keys.
    pages = client.get_paginator("get_usage_plans").paginate(limit=500)
    plans = {each["id"] for page in pages for each in page["items"]}
    for key in keys:
        description, _, plan = key.get("description", "").rpartition(" ")
        if description != DESCRIPTION or plan in plans:
            continue
        if client.get_usage_plans(keyId=key["id"], limit=1)["items"]:
            continue
        if delete:
            with suppress(client.exceptions.NotFoundException):
                client.delete_api_key(apiKey=key["id"])
        orphans.append(
            {
                "keyId": key["id"],
                "name": key["name"],
                "createdAt": key["createdDate"].isoformat(),
                "deleted": "yes" if delete else "no",
            }
        )
    return orphans
