"""What uses a short code or external id that a request wanted: a live link, the trash, a
quarantine.

Only in the caller's own workspace. Of another workspace callers learn only that it has the code.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from functions.domain.clock import iso
from functions.domain.errors import Conflict, UnlinkError
from functions.repositories.link_states import DeletedState
from functions.repositories.links import LinksTable

if TYPE_CHECKING:
    from functions.domain.error_bodies import Taken


def explain_conflict(conflict: Conflict, *, workspace_id: str, links: LinksTable) -> None:
    """Add ``taken`` to a conflict over names: one entry for each name that the workspace itself
    uses.

    The conflict stays as it is when that cannot be read. At most 100 names of each kind are named
    in an error, so these are at most 400 reads.
    """
    codes: list[str] = conflict.members.get("takenCodes", [])
    external_ids: list[str] = conflict.members.get("takenExternalIds", [])
    if not codes and not external_ids:
        return
    try:
        holders = links.names.code_items(codes)
        owners = links.names.external_id_owners(workspace_id, external_ids)
        own = [
            each["linkId"] for each in holders.values() if each.get("workspaceId") == workspace_id
        ]
        states = links.batches.deleted_states(workspace_id, [*own, *owners.values()])
    except UnlinkError:
        return
    taken: list[Taken] = [
        {"shortCode": code, **what}
        for code in codes
        if (what := _code_state(holders.get(code, {}), workspace_id, states))
    ]
    taken += [
        {"externalId": external_id, **what}
        for external_id in external_ids
        if (what := _link_state(states.get(owners.get(external_id, ""))))
    ]
    if taken:
        conflict.members["taken"] = taken


def _code_state(
    holder: dict[str, Any], workspace_id: str, states: dict[str, DeletedState]
) -> Taken | None:
    if holder.get("workspaceId") == workspace_id:
        return _link_state(states.get(holder["linkId"]))
    until = holder.get("quarantinedUntil", 0)
    if holder.get("reservedFor") == workspace_id and until >= time.time():
        return {
            "takenBy": "quarantine",
            "deletionId": holder["deletionId"],
            "availableFrom": iso(until),
        }
    return None


def _link_state(state: DeletedState | None) -> Taken | None:
    if state is None:
        # Erased since.
        return None
    if state.is_live:
        return {"takenBy": "live", "linkId": state.id}
    taken: Taken = {"takenBy": "trash", "linkId": state.id}
    if state.deletion_id is not None:
        taken["deletionId"] = state.deletion_id
    return taken
