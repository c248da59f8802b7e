"""What tests that restore links share."""

from __future__ import annotations

from typing import Any

from functions.repositories.restores import RestoresTable
from functions.services.restore import Restored, RestoreStores, restore
from tests.conftest import World


def restore_stores(world: World) -> RestoreStores:
    return RestoreStores(
        links=world.stores.links,
        deletions=world.stores.deletions,
        restores=RestoresTable(world.dynamodb, world.stores.deletions.name),
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
