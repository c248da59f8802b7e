"""What the schedule does: finish what a worker left when it was killed.

It resumes deletions and restores whose lease has expired, and queues again the erasures that have
stalled.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from operator import itemgetter

from functions import metrics
from functions.aws.sqs import Queue
from functions.domain.clock import current_deadline, deadline, iso
from functions.domain.fairness import take_turns
from functions.domain.ids import time_of
from functions.powertools import Logger
from functions.services.deletion import Stores
from functions.services.purge import requeue
from functions.services.restore import RestoreStores, resume_restore
from functions.services.run_deletion import resume_logged

#: How many deletions (and restores) with an expired lease one run of the schedule continues, and
#: from how many per index shard it chooses. The second number is large enough that one workspace
#: does not hide the others.
SWEEP = 100
LOOK = 1_000

#: Seconds for each of them; unfinished ones go to the queue, which is fair.
TURN_SECONDS = 30.0

#: Seconds without progress after which an erasure counts as stalled. It is longer than the queue's
#: delay plus a worker's longest run: checking earlier would only repeat running work.
STALLED_SECONDS = 600.0

#: Stalled erasures that one run of the schedule handles.
STALLED_SWEEP = 100

log = Logger()


def finish_deletions(stores: Stores) -> None:
    """Resume the deletions whose worker was killed, the workspaces in turn."""
    expired_leases = stores.deletions.expired_leases(limit=LOOK)
    metrics.count("DeletionsWithoutWorker", len(expired_leases))
    metrics.measure("OldestDeletionWithoutWorker", _oldest(each for _, each in expired_leases))
    for workspace_id, deletion_id in take_turns(expired_leases, itemgetter(0))[:SWEEP]:
        if not current_deadline().passed:
            with deadline(TURN_SECONDS):
                resume_logged(workspace_id, deletion_id, stores)


def finish_restores(stores: RestoreStores) -> None:
    """Continue restores whose worker was killed."""
    expired_leases = stores.restores.expired_leases(limit=LOOK)
    for key in take_turns(expired_leases, itemgetter(0))[:SWEEP]:
        if current_deadline().passed:
            return
        try:
            resume_restore(*key, stores=stores)
        except Exception:
            log.exception("a restore could not be finished", extra={"restoreId": key[2]})


def requeue_stalled_erasures(stores: Stores, erase_queue: Queue) -> None:
    """Requeue stalled erasures from their records."""
    erasing = stores.erasures.erasing()
    # Of all erasures: one that never finishes is as late as one without a worker.
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
                erase_queue=erase_queue,
            )
        except Exception:
            log.exception("an erasure could not be queued again", extra=where)
        else:
            log.warning("an erasure took long", extra={**where, "linksLeft": left})


def _oldest(deletion_ids: Iterable[str]) -> float:
    """Age in seconds of the oldest of these deletions; 0 if there is none."""
    now = time.time()
    return max(0.0, now - min(map(time_of, deletion_ids), default=now))
