"""Base class of the buckets: reads, writes and deletes objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from functions.aws.calls import RETRYABLE, call, until_done
from functions.aws.codec import runs
from functions.domain.errors import InternalError, UnlinkError

#: Keys of one DeleteObjects call (API limit).
DELETE_BATCH = 1_000

#: Error codes of single keys after which the same key may succeed
#: (Amazon S3 API reference, "Error responses").
_RETRYABLE = RETRYABLE | {"InternalError"}

#: S3's error code for an object that does not exist. S3 sends it only to callers with
#: ``s3:ListBucket``; others get ``AccessDenied`` (API Reference, GetObject, "Permissions"). The
#: roles have that permission, so ``AccessDenied`` here always means a missing permission.
_ABSENT = "NoSuchKey"


class Bucket:
    """Objects by their keys."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: str) -> bytes | None:
        """The object, or None if there is none.

        Raises ``InternalError`` if S3 refuses the call, ``Unavailable`` if it does not answer.
        """
        try:
            body: bytes = call(self._read, Bucket=self.name, Key=key)
        except UnlinkError as error:
            if code_of(error) == _ABSENT:
                return None
            raise
        return body

    def _read(self, **where: Any) -> Any:
        # Read inside the retried call: the body may be cut off too.
        return self._client.get_object(**where)["Body"].read()

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store an object; safe to repeat."""
        call(
            self._client.put_object,
            Bucket=self.name,
            Key=key,
            Body=body,
            ContentType=content_type,
        )

    def remove(self, keys: Sequence[str]) -> None:
        """Delete these objects, 1,000 per call.

        A missing object counts as deleted. Raises ``Unavailable`` or ``InternalError`` if an object
        may still exist.
        """
        for batch in runs(keys, DELETE_BATCH):
            until_done(self._remove, batch)

    def _remove(self, keys: Sequence[str]) -> Sequence[str]:
        """Delete these objects; returns those that may still exist."""
        response = call(
            self._client.delete_objects,
            Bucket=self.name,
            Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
        )
        errors = response.get("Errors", [])
        if refused := [each for each in errors if each.get("Code") not in _RETRYABLE]:
            raise InternalError(f"S3 refused to delete an object: {refused[0].get('Code')}")
        return [each["Key"] for each in errors]


def code_of(error: UnlinkError) -> str:
    """S3's error code of a translated error; "" if there is none."""
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else ""
