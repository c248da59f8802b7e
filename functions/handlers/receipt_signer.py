"""Signs the receipts of completed erasures, each minute."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.powertools import Logger
from functions.services.receipts import sign_receipts

#: Seconds of the invocation that are reserved for the last receipt.
RESERVED_SECONDS = 5.0

#: Receipts that one run looks for in each shard of the index.
LIMIT = 250

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The schedule's event; raises when a receipt could not be signed, for the alarm."""
    signed, failed = sign_receipts(
        container.receipt_signer(),
        deletions=container.deletions(),
        receipts=container.receipts(),
        limit=LIMIT,
    )
    log.info("receipts", extra={"signed": signed, "failed": failed})
    if failed:
        raise RuntimeError(f"{failed} receipts were not signed; the next run tries again")
    return {}
