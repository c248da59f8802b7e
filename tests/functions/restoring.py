"""What tests that restore links share."""

from __future__ import annotations

from typing import Any

from functions.unlink.clock import Deadline
from functions.unlink.procedures.restoration import Restored, RestoreStores, restore
from functions.unlink.stores.restores import RestoresTable
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
        requester=world.requester(**more),
        stores=restore_stores(world),
        deadline=Deadline(20),
    )
