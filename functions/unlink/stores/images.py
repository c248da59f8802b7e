"""The bucket of rendered QR images: a cache, whose keys stand on the links they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from functions.unlink.clock import Deadline
from functions.unlink.errors import InternalError, Unavailable, UnlinkError
from functions.unlink.stores.client import RETRYABLE, backoff, call, in_parallel
from functions.unlink.stores.items import runs

#: Keys of one DeleteObjects call (API limit).
DELETE_BATCH = 1_000

#: Error codes of single keys after which the same key may succeed
#: (Amazon S3 API reference, "Error responses").
_RETRYABLE = RETRYABLE | {"InternalError"}

#: What S3 answers for an object that is not there: the second, when the caller may not list the
#: bucket (S3 API Reference, GetObject, "Permissions").
_ABSENT = frozenset({"NoSuchKey", "AccessDenied"})


class Images:
    """Objects of the bucket by their keys, ``qr/{workspaceId}/{linkId}/{variant}``."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def get(self, key: str, *, deadline: Deadline) -> bytes | None:
        """The image, or None when there is none (its lifecycle rule may have removed it)."""
        try:
            answer = call(self._client.get_object, deadline=deadline, Bucket=self.bucket, Key=key)
        except UnlinkError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        body: bytes = answer["Body"].read()
        return body

    def put(self, key: str, body: bytes, *, content_type: str, deadline: Deadline) -> None:
        """Store the image; a repeated call replaces it with itself."""
        call(
            self._client.put_object,
            deadline=deadline,
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
        )

    def remove(self, key: str, *, deadline: Deadline) -> None:
        """Remove the image if there is one."""
        call(self._client.delete_object, deadline=deadline, Bucket=self.bucket, Key=key)

    def remove_many(self, keys: Sequence[str], *, deadline: Deadline) -> None:
        """Delete these objects, 1,000 a call; one that is not there counts as deleted.

        Raises ``Unavailable`` or ``InternalError`` when some object may still be there.
        """
        if keys:
            in_parallel(
                lambda batch: self._delete_batch(batch, deadline), list(runs(keys, DELETE_BATCH))
            )

    def _delete_batch(self, keys: Sequence[str], deadline: Deadline) -> None:
        attempt = 0
        while True:
            answer = call(
                self._client.delete_objects,
                deadline=deadline,
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
            errors = answer.get("Errors", [])
            if not errors:
                return
            if refused := [each for each in errors if each.get("Code") not in _RETRYABLE]:
                raise InternalError(f"S3 refused to delete an object: {refused[0].get('Code')}")
            keys = [each["Key"] for each in errors]
            attempt += 1
            if not backoff(attempt, deadline):
                raise Unavailable
