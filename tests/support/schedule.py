"""The schedule's work for one workspace: what it resumes when a lease has expired."""

from __future__ import annotations

from functions.services.deletion import Stores
from functions.services.restore import resume_restore
from functions.services.run_deletion import resume
from tests.conftest import World
from tests.support.faults import attempt
from tests.support.restores import restore_stores


def resume_deletions(world: World, stores: Stores | None = None) -> None:
    """Resume the deletions whose lease has expired."""
    for key in attempt(world.stores.deletions.expired_leases, limit=1000) or ():
        if key[0] == world.workspace_id:
            attempt(resume, *key, stores=stores or world.stores)


def resume_restores(world: World) -> None:
    """Resume the restores whose lease has expired."""
    stores = restore_stores(world)
    for key in attempt(stores.restores.expired_leases, limit=1000) or ():
        if key[0] == world.workspace_id:
            attempt(resume_restore, *key, stores=stores)
