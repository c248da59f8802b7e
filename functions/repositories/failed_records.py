"""The bucket of what could not be processed: Lambda's failed batches and records put aside."""

from __future__ import annotations

import json
import uuid
from typing import Any

from functions.aws.calls import call
from functions.domain.clock import now_iso

#: Records that a function itself put aside; Lambda writes its own under ``aws/lambda/``.
ASIDE = "aside/"


class FailuresBucket:
    """Keeps whole stream records, so that they can be replayed."""

    def __init__(self, client: Any, name: str, *, function: str) -> None:
        """``function`` is the ARN of the one that is to try again: alias included."""
        self._client = client
        self.name = name
        self._function = function

    def dead_letter(self, record: Any) -> None:
        """Keep a record in the shape in which Lambda keeps a failed batch: ``payload``."""
        now = now_iso()
        call(
            self._client.put_object,
            Bucket=self.name,
            Key=f"{ASIDE}{now[:10]}/{now}-{uuid.uuid4()}.json",
            Body=json.dumps(
                {
                    "requestContext": {"functionArn": self._function},
                    "payload": {"Records": [record]},
                }
            ).encode(),
            ContentType="application/json",
        )
