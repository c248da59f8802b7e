"""The erasure of each link that is gone; one that DynamoDB's TTL removed is recorded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import runs
from functions.aws.dynamodb import TRANSACTION_ACTIONS
from functions.aws.events import EventBus
from functions.aws.s3 import Bucket
from functions.aws.sqs import Queue
from functions.domain.clock import iso
from functions.domain.deletion import Deletion, release_of_codes
from functions.domain.errors import Unavailable
from functions.domain.ids import new_time_ordered_id, time_of
from functions.domain.outcomes import Outcome
from functions.powertools import Logger
from functions.repositories.clicks import ClicksTable
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import Erasure, ErasuresTable
from functions.repositories.exports import ExportsBucket
from functions.repositories.links import LinksTable
from functions.services.purge_message import Removed

#: Transaction actions of a link removed by its TTL: its erasure, its code and its external id.
ACTIONS_A_REMOVAL = 3

#: How often to look again when another worker records a removal at the same time.
MAX_COLLISIONS = 5

log = Logger()


@dataclass(frozen=True, slots=True)
class EraseStores:
    """The repositories and queues of the purge."""

    links: LinksTable
    clicks: ClicksTable
    deletions: DeletionsTable
    erasures: ErasuresTable
    images: Bucket
    exports: ExportsBucket
    events: EventBus
    erase_queue: Queue


def erasures_of(
    workspace_id: str, removed: Sequence[Removed], stores: EraseStores
) -> list[Erasure]:
    """The erasure of each link. Those that TTL removed get one here, with a deletion.

    A link that was removed otherwise (a create that was rolled back, an administrator) has none: it
    is cleaned up without being counted. A link that still exists is left out.
    """
    by_id = {link.id: link for link in removed}
    for _ in range(MAX_COLLISIONS):
        found = stores.erasures.find(workspace_id, list(by_id))
        unrecorded = [link for link in by_id.values() if link.id not in found]
        if not unrecorded:
            return list(found.values())
        existing = stores.links.batches.states(workspace_id, [link.id for link in unrecorded])
        if existing:
            log.error(
                "an erasure names a link that still exists", extra={"linkIds": list(existing)[:10]}
            )
        unrecorded = [link for link in unrecorded if link.id not in existing]
        expired = [link for link in unrecorded if link.expired]
        if not expired:
            strays = [
                Erasure(workspace_id, link.id, "", one_partition=link.one_partition)
                for link in unrecorded
            ]
            return [*found.values(), *strays]
        for group in _groups(expired, workspace_id, stores):
            _record_expiry(workspace_id, group, stores)
    raise Unavailable


def _groups(
    expired: Sequence[Removed], workspace_id: str, stores: EraseStores
) -> list[list[Removed]]:
    """Groups with the same policies, for one deletion each, that fit one transaction."""
    groups: dict[tuple[bool, str], list[Removed]] = {}
    policies: dict[str | None, dict[str, Any]] = {}
    for link in expired:
        soft_delete = link.deletion_id
        if soft_delete is not None and soft_delete not in policies:
            header = stores.erasures.header(workspace_id, soft_delete)
            policies[soft_delete] = header.policies if header else {}
        its = policies[soft_delete] if soft_delete is not None else link.policies or {}
        key = (soft_delete is not None, repr(sorted(its.items())))
        groups.setdefault(key, []).append(replace(link, policies=its))
    size = (TRANSACTION_ACTIONS - 1) // ACTIONS_A_REMOVAL
    return [list(part) for group in groups.values() for part in runs(group, size)]


def _record_expiry(workspace_id: str, group: Sequence[Removed], stores: EraseStores) -> None:
    """Record one deletion for these links with their erasures, and free their codes.

    If another worker recorded one of them, nothing is changed and the caller looks again.
    """
    deletion_id = new_time_ordered_id()
    soft_deleted = group[0].deletion_id is not None
    deletion = Deletion(
        id=deletion_id,
        workspace_id=workspace_id,
        mode="erase",
        state="erasing",
        actor={"service": "retention"},
        created_at=iso(time_of(deletion_id)),
        reason="retentionDays" if soft_deleted else "purgeExpiredAfterDays",
        link_ids=[link.id for link in group],
        outcomes=bytearray([Outcome.ERASED]) * len(group),
        policies=group[0].policies or {},
    )
    record = stores.deletions.accept_actions(deletion, key=None)
    record += [
        stores.erasures.create_action(
            Erasure(
                workspace_id,
                link.id,
                deletion_id,
                qr_keys=link.qr_keys,
                codes=0 if link.code is None else 1,
                one_partition=link.one_partition,
                soft_deleted_by=link.deletion_id,
                fencing_token=link.fencing_token,
            )
        )
        for link in group
    ]
    releases = [
        action
        for link in group
        for action in stores.links.erasures.release_actions(
            workspace_id,
            link.id,
            code=link.code,
            external_id=link.external_id,
            release=release_of_codes(deletion),
        )
    ]
    try:
        stores.links.erasures.apply([*record, *releases])
    except TransactionCancelled as cancelled:
        codes = [reason.get("Code") for reason in cancelled.reasons]
        log.warning("an expiry was not recorded", extra={"reasons": codes})
        recorded = any(cancelled.refused[: len(record)])
        taken = cancelled.refused[len(record) :]
        if any(taken) and not recorded:
            _record_expiry(workspace_id, _without_taken(group, taken), stores)


def _without_taken(group: Sequence[Removed], taken: Sequence[bool]) -> list[Removed]:
    """The links without the codes and external ids that other links have by now.

    This happens after links were restored by hand. ``taken`` has one entry for each code and
    external id, in order.
    """
    is_taken = iter(taken)
    return [
        replace(
            link,
            code=None if link.code is None or next(is_taken) else link.code,
            external_id=None if link.external_id is None or next(is_taken) else link.external_id,
        )
        for link in group
    ]
