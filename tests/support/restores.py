"""Shared by tests that restore links."""

from __future__ import annotations

import time
from typing import Any

from functions.repositories.restores import RestoresTable
from functions.services.restore import Restored, RestoreStores, restore
from tests.conftest import World


def restore_stores(world: World) -> RestoreStores:
    return RestoreStores(
        links=world.stores.links,
        deletions=world.stores.deletions,
        erasures=world.stores.erasures,
        restores=RestoresTable(world.dynamodb, world.stores.deletions.name),
    )


def end_retention(world: World, link_id: str) -> None:
    """Let the ``ttl`` of a soft-deleted link be past. DynamoDB may remove it days later."""
    world.dynamodb.update_item(
        TableName=world.stores.links.name,
        Key=world.link_key(link_id),
        UpdateExpression="SET #ttl=:past",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 1)}},
    )


def bring_back(
    world: World, deletion_id: str, ids: list[str] | None = None, **more: Any
) -> Restored:
    return restore(
        deletion_id,
        ids,
        deletion_request=world.deletion_request(**more),
        stores=restore_stores(world),
    )
