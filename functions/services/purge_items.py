"""Removes what belongs to erased links from the ``clicks`` table, and counts it.

The partitions of many links are read in parallel. Small pages are deleted together, 25 items of any
links a call; a partition with more is emptied page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.aws.codec import runs
from functions.aws.dynamodb import WRITE_BATCH
from functions.aws.parallel import in_parallel
from functions.domain.clock import current_deadline, now_iso
from functions.domain.errors import UnlinkError
from functions.powertools import Logger
from functions.repositories.clicks import OWN_PARTITION, partitions_of
from functions.repositories.erasing_deletions import DeletionHeader
from functions.repositories.erasures import Erasure
from functions.repositories.exports import RECORD, objects_of
from functions.repositories.kept_installs import detached_installs
from functions.services.expired_links import EraseStores

#: Records of exports: they are removed with the link, but are not in its receipt.
_UNCOUNTED = "records"

log = Logger()


@dataclass(slots=True)
class Partition:
    """One partition of an erased link, and the result of its purge.

    ``empty_at`` is when the strongly consistent query started that found nothing, "" before that.
    ``failed`` means an error that may be temporary. ``page`` are items that are counted, and to be
    deleted together with those of others.
    """

    erasure: Erasure
    number: int
    keep_installs: bool
    page: Sequence[dict[str, Any]] = ()
    empty_at: str = ""
    failed: bool = False

    @property
    def link_id(self) -> str:
        return self.erasure.link_id


def empty_partitions(
    erasures: Sequence[Erasure], headers: Mapping[str, DeletionHeader], stores: EraseStores
) -> list[Partition]:
    """Delete everything of these links, until a query of each partition finds nothing or until the
    deadline; returns their partitions.
    """
    partitions = [
        Partition(erasure, number, number == OWN_PARTITION and _keeps_installs(erasure, headers))
        for erasure in erasures
        for number in partitions_of(one_partition=erasure.one_partition)
    ]
    in_parallel(lambda each: _empty(each, stores, together=True), partitions)
    if small := [each for each in partitions if each.page]:
        _delete_together(small, stores)
        # Also after an error: the remaining items are counted already, and are deleted again.
        in_parallel(lambda each: _empty(each, stores), small)
    return partitions


def _keeps_installs(erasure: Erasure, headers: Mapping[str, DeletionHeader]) -> bool:
    policies = headers[erasure.deletion_id].policies if erasure.deletion_id else {}
    return not policies.get("cascadeInstalls")


def _empty(partition: Partition, stores: EraseStores, *, together: bool = False) -> None:
    """Delete one partition page by page until a strongly consistent read finds nothing.

    With ``together`` a first page of a few items is only counted, and left in ``partition.page``.
    """
    try:
        while not current_deadline().passed:
            now = now_iso()
            page = stores.clicks.first_page(
                partition.link_id, partition.number, whole=partition.keep_installs
            )
            if not page:
                partition.empty_at = now
                return
            if not _counted(partition, page, stores):
                continue
            # Before the records with their keys.
            stores.exports.remove_exports(objects_of(partition.erasure.workspace_id, page))
            if together and len(page) < WRITE_BATCH:
                partition.page = page
                return
            stores.clicks.write(put=_kept(partition, page))
            stores.clicks.write(delete=page)
    except UnlinkError:
        details = {"linkId": partition.link_id, "partition": partition.number}
        log.exception("an erasure failed", extra=details)
        partition.failed = not current_deadline().passed


def _delete_together(partitions: Sequence[Partition], stores: EraseStores) -> None:
    """Delete the pages of these partitions, 25 items a call, kept installs first."""
    kept = [item for each in partitions for item in _kept(each, each.page)]
    deleted = [item for each in partitions for item in each.page]
    try:
        in_parallel(lambda part: stores.clicks.write(put=part), list(runs(kept, WRITE_BATCH)))
        in_parallel(lambda part: stores.clicks.write(delete=part), list(runs(deleted, WRITE_BATCH)))
    except UnlinkError:
        log.exception("an erasure failed", extra={"links": len(partitions)})


def _kept(partition: Partition, page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kept form of the installs of a page, if the workspace keeps them."""
    if not partition.keep_installs:
        return []
    return detached_installs(partition.erasure.workspace_id, page)


def _counted(partition: Partition, page: Sequence[dict[str, Any]], stores: EraseStores) -> bool:
    """Whether every item of the page is counted, so that it may be deleted."""
    erasure = partition.erasure
    if not erasure.deletion_id:
        return True
    if erasure.finished_at is not None:
        log.error("items came after the receipt", extra={"linkId": erasure.link_id})
        return True
    counted_to = erasure.cursors.get(partition.number, "")
    fresh = [item["sk"]["S"] for item in page if item["sk"]["S"] > counted_to]
    if not fresh:
        return True
    counts = Counter(_kind(sk) for sk in fresh)
    del counts[_UNCOUNTED]
    if partition.keep_installs:
        counts["installsKept"] = counts.pop("installs", 0)
    return stores.erasures.count_page(erasure, partition.number, through=fresh[-1], counts=counts)


def _kind(sk: str) -> str:
    if sk.startswith("CLICK#"):
        return "clicks"
    if sk.startswith(RECORD):
        return _UNCOUNTED
    return "installs" if sk.startswith("INSTALL#") else "rollups"
