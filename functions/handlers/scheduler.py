"""Each minute: finishes deletions and restores of killed workers, requeues stalled erasures.

It runs the same code as a request. Like a request, it leaves long work and exports to the queue.
"""

from __future__ import annotations

from typing import Any

from functions import container, service_stores
from functions.domain.clock import current_deadline, deadline, invocation_deadline
from functions.metrics import reporting
from functions.services import sweep

#: Seconds of the invocation that are reserved for saving the record and the requeue.
RESERVED_SECONDS = 5.0


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle the schedule's event, which has no content."""
    stores = service_stores.deletion_stores()
    # While the tables are slow, the first kind of work must not use the time of the others.
    with deadline(current_deadline().remaining() / 2):
        sweep.finish_deletions(stores)
    with deadline(current_deadline().remaining() / 2):
        sweep.finish_restores(service_stores.restore_stores())
    sweep.requeue_stalled_erasures(stores, container.erase_queue())
    return {}
