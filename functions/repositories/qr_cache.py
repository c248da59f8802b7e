"""The cache bucket of rendered QR images. Its object keys are registered on the links."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from functions.aws.calls import call
from functions.aws.s3 import Bucket
from functions.domain.errors import UnlinkError

#: S3's error code for an object that does not exist. S3 sends it only to callers with
#: ``s3:ListBucket``; others get ``AccessDenied`` (API Reference, GetObject, "Permissions"). The
#: role has that permission, so ``AccessDenied`` here always means a missing permission.
_ABSENT = "NoSuchKey"


class Images(Bucket):
    """Objects of the bucket by their keys, ``qr/{workspaceId}/{linkId}/{variant}``."""

    def get(self, key: str) -> bytes | None:
        """The image, or None if there is none (the lifecycle rule may have removed it).

        Raises ``InternalError`` if S3 refuses the call, ``Unavailable`` if it does not answer.
        """
        try:
            body: bytes = call(self._read, Bucket=self.name, Key=key)
        except UnlinkError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == _ABSENT:
                return None
            raise
        return body

    def _read(self, **where: Any) -> Any:
        # Read inside the retried call: the body may be cut off too.
        return self._client.get_object(**where)["Body"].read()

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store the image; safe to repeat."""
        call(
            self._client.put_object,
            Bucket=self.name,
            Key=key,
            Body=body,
            ContentType=content_type,
        )
