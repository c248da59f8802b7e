"""The bucket of failed records: Lambda's failed batches, and records that a function could not
parse.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from functions.aws.s3 import Bucket
from functions.domain.clock import now_iso

#: Prefix of the records that a function wrote itself; Lambda uses ``aws/lambda/``.
ASIDE = "aside/"


class FailuresBucket(Bucket):
    """Keeps whole stream records, so that they can be replayed."""

    def __init__(self, client: Any, name: str, *, function: str) -> None:
        """``function`` is the ARN, with alias, of the function that replays the records."""
        super().__init__(client, name)
        self._function = function

    def dead_letter(self, record: Any) -> None:
        """Store a record in the format of Lambda's failed batches (``payload``)."""
        now = now_iso()
        failed = {
            "requestContext": {"functionArn": self._function},
            "payload": {"Records": [record]},
        }
        self.put(
            f"{ASIDE}{now[:10]}/{now}-{uuid.uuid4()}.json",
            json.dumps(failed).encode(),
            content_type="application/json",
        )
