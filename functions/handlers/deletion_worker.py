"""Finishes deletions that a worker handed over (the queue) or died on (the schedule).

Both ways run the same code as the request did; any of them may come twice. The schedule also
looks after erasures that take too long.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from aws_lambda_powertools import Logger

from functions import metrics
from functions.aws.client import client
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import current_deadline, deadline, invocation_deadline, iso
from functions.domain.fairness import take_turns
from functions.domain.ids import time_of
from functions.metrics import reporting
from functions.repositories.clicks import ClicksTable
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.exports import ExportsBucket
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.repositories.restores import RestoresTable
from functions.services.deletion import Stores, resume
from functions.services.export_lines import ExportStores
from functions.services.purge import requeue
from functions.services.restore import RestoreStores, resume_restore

#: What is kept of the invocation's time for the record and the hand-over, in seconds.
RESERVED_SECONDS = 5.0

#: Lapsed deletions (and restores) that one run of the schedule works on, and how many of each shard
#: of the index it chooses them from: enough that one workspace does not hide the others.
SWEEP = 100
LOOK = 1_000

#: Seconds that one of them gets; what is left then goes to the queue, which is fair.
TURN_SECONDS = 30.0

#: After how long without a sign of it an erasure is looked at again: the queue's delay and a
#: worker's longest run pass before, and looking too early only repeats what is under way.
STALLED_SECONDS = 600.0

#: Stalled erasures that one run of the schedule looks at.
STALLED_SWEEP = 100

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """SQS batch (``batchItemFailures`` is answered) or the schedule's event."""
    dynamodb = client("dynamodb")
    stores = Stores(
        links=LinksTable(dynamodb, setting("LINKS_TABLE")),
        deletions=DeletionsTable(dynamodb, setting("DELETIONS_TABLE")),
        erasures=ErasuresTable(dynamodb, setting("DELETIONS_TABLE")),
        resume_queue=Queue(client("sqs"), setting("RESUME_QUEUE_URL")),
        slots=FilterSlots(dynamodb, setting("DELETIONS_TABLE")),
        open_exports=OpenExports(dynamodb, setting("CLICKS_TABLE")),
        exports=ExportStores(
            links=LinksTable(dynamodb, setting("LINKS_TABLE")),
            clicks=ClicksTable(dynamodb, setting("CLICKS_TABLE")),
            # A part of 16 MB takes longer than a call of DynamoDB.
            bucket=ExportsBucket(client("s3", read_timeout=15), setting("EXPORTS_BUCKET")),
        ),
    )
    if "Records" not in event:
        expired_leases = stores.deletions.expired_leases(limit=LOOK)
        metrics.count("LapsedDeletions", len(expired_leases))
        metrics.measure("OldestLapsedDeletion", _oldest(each for _, each in expired_leases))
        for workspace_id, deletion_id in take_turns(expired_leases, itemgetter(0))[:SWEEP]:
            if not current_deadline().passed:
                with deadline(TURN_SECONDS):
                    _resume(workspace_id, deletion_id, stores)
        _finish_restores(stores)
        _look_after_erasures(stores)
        return {}
    failures = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        if current_deadline().passed or not _resume(
            message["workspaceId"], message["deletionId"], stores
        ):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _finish_restores(stores: Stores) -> None:
    """Go on with the restores whose worker died."""
    table = RestoresTable(client("dynamodb"), setting("DELETIONS_TABLE"))
    its_stores = RestoreStores(links=stores.links, deletions=stores.deletions, restores=table)
    expired_leases = table.expired_leases(limit=LOOK)
    for key in take_turns(expired_leases, itemgetter(0))[:SWEEP]:
        if current_deadline().passed:
            return
        try:
            resume_restore(*key, stores=its_stores)
        except Exception:
            log.exception("a restore could not be finished", extra={"restoreId": key[2]})


def _look_after_erasures(stores: Stores) -> None:
    """Queue again, from their records, the erasures of which nothing was heard for long."""
    queue = Queue(client("sqs"), setting("ERASE_QUEUE_URL"))
    erasing = stores.erasures.erasing()
    # Of all: one that is worked on for ever is as late as one that nobody looks at.
    metrics.measure("OldestErasure", _oldest(each.deletion_id for each in erasing))
    since = iso(time.time() - STALLED_SECONDS)
    stalled = [each for each in erasing if each.looked_at < since]
    for _, workspace_id, deletion_id in take_turns(stalled, itemgetter(1))[:STALLED_SWEEP]:
        if current_deadline().passed:
            return
        where = {"workspaceId": workspace_id, "deletionId": deletion_id}
        try:
            left = requeue(
                workspace_id,
                deletion_id,
                deletions=stores.deletions,
                erasures=stores.erasures,
                erase_queue=queue,
            )
        except Exception:
            log.exception("an erasure could not be queued again", extra=where)
        else:
            log.warning("an erasure took long", extra={**where, "linksLeft": left})


def _oldest(deletion_ids: Iterable[str]) -> float:
    """Seconds since the first of these deletions was asked for; 0 when there is none."""
    now = time.time()
    return max(0.0, now - min(map(time_of, deletion_ids), default=now))


def _resume(workspace_id: str, deletion_id: str, stores: Stores) -> bool:
    """One deletion; a failure of one must not stop the others."""
    try:
        deletion = resume(workspace_id, deletion_id, stores=stores)
    except Exception:
        log.exception(
            "resume failed", extra={"workspaceId": workspace_id, "deletionId": deletion_id}
        )
        return False
    log.info(
        "resume",
        extra={
            "workspaceId": workspace_id,
            "deletionId": deletion_id,
            "state": deletion.state if deletion else "nothing to do",
        },
    )
    return True
