"""The outcome of each link of a restore, and the policy attributes of a restored link."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from functions.domain.deletion import Deletion
from functions.domain.errors import Unavailable
from functions.domain.ids import NO_RESTORE
from functions.domain.link import grace_end
from functions.domain.outcomes import Outcome
from functions.domain.policies import Policies
from functions.repositories.erasures import ErasuresTable
from functions.repositories.link_states import DeletedState
from functions.repositories.restores import Restore, RestoreOutcome

#: The outcome of a link by the outcome of its statement.
OUTCOME_BY_STATEMENT = {
    Outcome.PENDING: RestoreOutcome.PENDING,
    Outcome.RESTORED: RestoreOutcome.RESTORED,
    Outcome.NOT_FOUND: RestoreOutcome.ERASED,
    Outcome.FAILED: RestoreOutcome.DELETED_AGAIN,
}


def policy_attributes(state: DeletedState, record: Restore) -> dict[str, Any]:
    """The policy attributes of a restored link, from the policies at the time of the request.

    ``ttl`` and ``policies`` define when (after the grace period) and how it is purged.
    ``clickRetentionDays`` is how long its new clicks are kept. None removes an attribute.
    """
    policies = Policies.read(record.policies)
    # With a TTL in the past DynamoDB would remove the restored link.
    attributes = policies.of_a_purge(state.expires_at, not_before=grace_end(record.id))
    return attributes | policies.of_clicks()


def live_again(ttl: int | None, record: Restore) -> RestoreOutcome:
    in_grace = ttl == grace_end(record.id)
    return RestoreOutcome.RESTORED_FOR_GRACE if in_grace else RestoreOutcome.RESTORED


def outcome_of(
    state: DeletedState | None, deletion: Deletion, record: Restore, *, resumed: bool
) -> RestoreOutcome:
    if state is None:
        return RestoreOutcome.ERASED
    if state.is_live:
        return live_again(state.ttl, record)
    if state.deletion_id != deletion.id:
        # The token of this restore, or of a later one: the link was live again in the meantime.
        live_since = resumed and state.fencing_token >= record.id
        return RestoreOutcome.RESTORED if live_since else RestoreOutcome.DELETED_AGAIN
    # Its TTL has passed: DynamoDB will remove it within days.
    if state.ttl is not None and state.ttl <= time.time():
        return RestoreOutcome.EXPIRED
    return RestoreOutcome.PENDING


def outcomes_of_erased(
    record: Restore, link_ids: Sequence[str], erasures: ErasuresTable
) -> list[RestoreOutcome]:
    """The outcomes of links that are erased by now, perhaps after this restore.

    A worker may have been killed, or the response to its statement lost, after it restored a link.
    The link's erasure has its last fencing token. ``PENDING`` if it cannot be read now.
    """
    try:
        found = erasures.find(record.workspace_id, link_ids)
    except Unavailable:
        return [RestoreOutcome.PENDING] * len(link_ids)
    tokens = {each: erasure.fencing_token for each, erasure in found.items()}
    return [
        RestoreOutcome.RESTORED
        if tokens.get(each, NO_RESTORE) >= record.id
        else RestoreOutcome.ERASED
        for each in link_ids
    ]
