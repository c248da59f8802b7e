"""Base class of the buckets: deletes objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functions.aws.calls import RETRYABLE, backoff, call
from functions.domain.errors import InternalError, Unavailable

#: Keys of one DeleteObjects call (API limit).
DELETE_BATCH = 1_000

#: Error codes of single keys after which the same key may succeed
#: (Amazon S3 API reference, "Error responses").
_RETRYABLE = RETRYABLE | {"InternalError"}


class Bucket:
    """Objects by their keys."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def remove(self, keys: Sequence[str]) -> None:
        """Delete these objects, 1,000 per call.

        A missing object counts as deleted. Raises ``Unavailable`` or ``InternalError`` if an object
        may still exist.
        """
        waiting = list(keys)
        attempt = 0
        while waiting:
            batch, waiting = waiting[:DELETE_BATCH], waiting[DELETE_BATCH:]
            response = call(
                self._client.delete_objects,
                Bucket=self.name,
                Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
            )
            errors = response.get("Errors", [])
            if refused := [each for each in errors if each.get("Code") not in _RETRYABLE]:
                raise InternalError(f"S3 refused to delete an object: {refused[0].get('Code')}")
            if errors:
                waiting += [each["Key"] for each in errors]
                attempt += 1
                if not backoff(attempt):
                    raise Unavailable
