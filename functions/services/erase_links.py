"""Erasing links in transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from functions import metrics
from functions.aws.calls import TransactionCancelled, backoff
from functions.aws.dynamodb import TRANSACTION_ACTIONS
from functions.aws.parallel import in_parallel
from functions.domain.clock import current_deadline
from functions.domain.deletion import Deletion, release_of_codes
from functions.domain.errors import InternalError, Unavailable
from functions.domain.outcomes import Outcome
from functions.powertools import Logger
from functions.repositories.erasures import Erasure
from functions.repositories.link_states import LinkState
from functions.services.deletion import Stores

#: How often the transaction of one id may fail unexpectedly before the id is reported as failed.
MAX_REFUSALS = 5

log = Logger()


def erase_slice(
    deletion: Deletion,
    positions: Sequence[int],
    stores: Stores,
    states: dict[str, LinkState] | None,
) -> None:
    """Erase in transactions until each id has an outcome, or until the deadline.

    A link whose transaction failed is read again: it is gone, or it changed.
    """
    ids = deletion.link_ids
    waiting = list(positions)
    refusals: Counter[int] = Counter()
    attempt = 0
    while waiting and not current_deadline().passed:
        if attempt and not backoff(attempt):
            break
        if states is None:
            link_ids = [ids[position] for position in waiting]
            states = stores.links.batches.states(deletion.workspace_id, link_ids)
        missing = [position for position in waiting if ids[position] not in states]
        if missing:
            # Erased by this deletion (in a transaction whose response was lost), or by another.
            stores.deletions.read_done(deletion)
            for position in missing:
                if deletion.outcomes[position] == Outcome.PENDING:
                    deletion.outcomes[position] = Outcome.NOT_FOUND
        found = states
        waiting = [i for i in waiting if deletion.outcomes[i] == Outcome.PENDING]
        groups = _pack([(position, found[ids[position]]) for position in waiting])
        for refused in in_parallel(lambda group: _erase_group(deletion, group, stores), groups):
            refusals.update(refused)
        for position, times in refusals.items():
            if times >= MAX_REFUSALS and deletion.outcomes[position] == Outcome.PENDING:
                deletion.outcomes[position] = Outcome.FAILED
                log.error(
                    "a link cannot be erased",
                    extra={"deletionId": deletion.id, "linkId": ids[position]},
                )
        waiting = [i for i in waiting if deletion.outcomes[i] == Outcome.PENDING]
        states = None
        # Only after failed conditions: the deadline or an outage needs no pause.
        attempt = max(refusals.values(), default=0)


def _pack(links: list[tuple[int, LinkState]]) -> list[list[tuple[int, LinkState]]]:
    """Groups whose actions, with the one that records the outcome, fit one transaction."""
    groups: list[list[tuple[int, LinkState]]] = []
    room = 0
    for position, state in links:
        if not groups or _actions_of(state) > room:
            groups.append([])
            room = TRANSACTION_ACTIONS - 1
        groups[-1].append((position, state))
        room -= _actions_of(state)
    return groups


def _actions_of(state: LinkState) -> int:
    """How many transaction actions one link takes: link, code, erasure, perhaps external id."""
    return 3 if state.external_id is None else 4


def erase_actions(
    deletion: Deletion, state: LinkState, stores: Stores, *, live_only: bool = False
) -> list[dict[str, Any]]:
    """The transaction actions that erase one link and record its erasure for this deletion."""
    return [
        *stores.links.erasures.actions(
            deletion.workspace_id,
            state,
            live_only=live_only,
            release=release_of_codes(deletion),
        ),
        stores.erasures.create_action(
            Erasure(
                deletion.workspace_id,
                state.id,
                deletion.id,
                qr_keys=state.qr_keys,
                one_partition=state.one_partition,
                soft_deleted_by=state.deletion_id,
                fencing_token=state.fencing_token,
            )
        ),
    ]


def _erase_group(
    deletion: Deletion, group: list[tuple[int, LinkState]], stores: Stores
) -> list[int]:
    """One transaction. Links whose condition fails are removed from it and it is repeated with the
    others.

    Returns the positions that were removed.
    """
    refused: list[int] = []
    while group and not current_deadline().passed:
        actions = [
            action for _, state in group for action in erase_actions(deletion, state, stores)
        ]
        positions = [position for position, _ in group]
        actions.append(stores.deletions.done_action(deletion, positions))
        try:
            stores.links.erasures.apply(actions)
        except Unavailable:
            return refused
        except TransactionCancelled as cancelled:
            if cancelled.refused[-1]:
                # Another worker, or an earlier call whose response was lost, has erased this group.
                stores.deletions.read_done(deletion)
                return refused
            log.warning(
                "links were not erased",
                extra={"deletionId": deletion.id, "cause": str(cancelled)},
            )
            kept, offset = [], 0
            for position, state in group:
                of_link = cancelled.refused[offset : offset + _actions_of(state)]
                offset += _actions_of(state)
                if any(of_link):
                    refused.append(position)
                else:
                    kept.append((position, state))
            if len(kept) == len(group) and not cancelled.retryable:
                raise InternalError from cancelled
            group = kept
            continue
        for position in positions:
            deletion.outcomes[position] = Outcome.ERASED
        metrics.count("LinksErased", len(positions))
        return refused
    return refused
