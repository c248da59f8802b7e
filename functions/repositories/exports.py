"""Exports: their bucket, and their records under their link.

Objects: ``exports/{workspaceId}/{exportId}.ndjson``, removed by the bucket's lifecycle.
Items in the ``clicks`` table: ``pk={linkId}``, ``sk=EXPORT#{exportId}``, by which an erasure of the
link finds the object; removed by TTL when their object is.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from functions.aws.calls import TransactionCancelled, call
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table
from functions.aws.s3 import Bucket, code_of
from functions.domain.errors import InternalError
from functions.repositories.idempotency import transact_once
from functions.repositories.link_items import EXISTS, link_key
from functions.repositories.open_exports import OPEN

#: Days that an export can be fetched; the bucket's lifecycle rule says the same.
KEPT_DAYS = 7

#: Seconds that a record outlives its export, so that an erasure finds every object: S3 removes
#: expired objects after the next midnight UTC (User Guide, "Expiring objects").
LINGERS = 2 * 24 * 3600

#: Seconds that a signed URL is valid. Not more than botocore's advisory refresh: it replaces
#: credentials that end within 15 minutes, where it knows their end. On Lambda it does not.
URL_SECONDS = 900


class UploadGone(Exception):
    """The multipart upload was completed or aborted already."""


class ExportGone(Exception):
    """The export's record is gone, or another worker has it."""


class ExportsBucket(Bucket):
    """Objects that are written in parts and fetched through signed URLs."""

    def tail(self, key: str) -> bytes:
        """The lines of a tail; raises :class:`UploadGone` if it does not exist any more."""
        body = self.get(key)
        if body is None:
            raise UploadGone
        return body

    def begin(self, key: str) -> str:
        """Start a multipart upload; returns its id."""
        response = call(
            self._client.create_multipart_upload,
            Bucket=self.name,
            Key=key,
            ContentType=CONTENT_TYPE,
        )
        return str(response["UploadId"])

    def put_part(self, key: str, upload_id: str, number: int, body: bytes) -> None:
        """Write part ``number`` (from 1), at least 5 MiB unless it is the last; safe to repeat."""
        self._of_upload(
            self._client.upload_part,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
        )

    def complete(self, key: str, upload_id: str, counts: Callable[[int], bool]) -> None:
        """Complete the upload with the parts for which ``counts`` is true.

        The parts are listed from S3, because 10,000 checksums do not fit an item.
        """
        listed: list[dict[str, Any]] = []
        parameters: dict[str, Any] = {"Key": key, "UploadId": upload_id}
        while True:
            response = self._of_upload(self._client.list_parts, **parameters)
            listed += [
                {"PartNumber": part["PartNumber"], "ETag": part["ETag"]}
                for part in response.get("Parts", [])
                if counts(part["PartNumber"])
            ]
            if not response.get("IsTruncated"):
                break
            parameters["PartNumberMarker"] = response["NextPartNumberMarker"]
        self._of_upload(
            self._client.complete_multipart_upload,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": listed},
        )

    def abort(self, key: str, upload_id: str) -> None:
        """Abort an unfinished upload, if it exists."""
        try:
            self._of_upload(self._client.abort_multipart_upload, Key=key, UploadId=upload_id)
        except UploadGone:
            return

    def remove_exports(self, keys: Iterable[str]) -> None:
        """Delete these exports, with the tails of those that were never completed."""
        for key in keys:
            response = call(
                self._client.list_objects_v2,
                Bucket=self.name,
                Prefix=key.removesuffix("ndjson"),
            )
            # One export never has more than 1,000 objects, the size of a list page.
            self.remove([each["Key"] for each in response.get("Contents", [])])

    def holds(self, key: str) -> bool:
        """Whether the export was written."""
        response = call(self._client.list_objects_v2, Bucket=self.name, Prefix=key, MaxKeys=1)
        return bool(response.get("KeyCount"))

    def url(self, key: str) -> tuple[str, float]:
        """A signed URL of the export, and its expiry (Unix seconds)."""
        signed_at = time.time()
        signed = self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=URL_SECONDS
        )
        return str(signed), int(signed_at) + URL_SECONDS

    def _of_upload(self, operation: Any, **parameters: Any) -> Any:
        try:
            return call(operation, Bucket=self.name, **parameters)
        except InternalError as error:
            if code_of(error) == "NoSuchUpload":
                raise UploadGone from None
            raise


class ExportRecords(Table):
    """The request and the progress of an export."""

    def __init__(self, client: Any, *, clicks: str, links: str) -> None:
        super().__init__(client, clicks)
        self._links = links

    def create(
        self,
        workspace_id: str,
        record: dict[str, Any],
        *claims: dict[str, Any],
        key_claim: dict[str, Any] | None = None,
    ) -> list[bool]:
        """Create a record for a link that exists, in one transaction with ``claims`` and
        ``key_claim``, the action that claims its Idempotency-Key.

        [] if it was created, else which of ``claims`` were refused. Raises :class:`ExportGone` if
        the link is gone, ``KeyTaken`` if the key is used.
        """
        ttl = int(time.time()) + KEPT_DAYS * 24 * 3600 + LINGERS
        actions: list[dict[str, Any]] = [
            {
                "ConditionCheck": {
                    "TableName": self._links,
                    "Key": link_key(workspace_id, record["linkId"]),
                    "ConditionExpression": EXISTS,
                }
            },
            {
                "Put": {
                    "TableName": self.name,
                    "Item": _key(record["linkId"], record["id"])
                    | to_item(record | {"version": 0, "ttl": ttl}),
                }
            },
            *claims,
        ]
        try:
            transact_once(self._client, actions, key_claim)
        except TransactionCancelled as cancelled:
            if cancelled.refused[0]:
                raise ExportGone from None
            if any(refused := cancelled.refused[2 : 2 + len(claims)]):
                return refused
            raise InternalError from cancelled
        return []

    def get(self, link_id: str, export_id: str) -> dict[str, Any] | None:
        """The record, strongly consistent; None when there is none, or it has expired."""
        item = self._read_item(_key(link_id, export_id))
        if item is None or int(item["ttl"]["N"]) - LINGERS <= time.time():
            return None
        return from_item(item)

    def advance(self, record: dict[str, Any], **changes: Any) -> None:
        """Change a record, unless another worker has changed it since it was read; updates
        ``record``.

        Raises :class:`ExportGone` otherwise, or if its link was erased.
        """
        changes |= {"version": record["version"] + 1, "change": str(uuid.uuid4())}
        # Of two workers with one message only one continues; an erased record stays erased.
        as_it_was_read = "attribute_exists(pk) AND #version=:read"
        current = self._update_item(
            _key(record["linkId"], record["id"]),
            "SET " + ",".join(f"#{name}=:{name}" for name in changes),
            condition=as_it_was_read,
            values=to_item(
                {f":{name}": value for name, value in changes.items()}
                | {":read": record["version"]}
            ),
        )
        # After a lost response of this call, the record has this change.
        if current is not None and current.get("change", {}).get("S") != changes["change"]:
            raise ExportGone
        record.update(changes)


def message_of(record: dict[str, Any]) -> dict[str, Any]:
    """The queue message about an export. It names the export's claims, because the record may be
    erased with its link.
    """
    return {
        "workspaceId": record["workspaceId"],
        "linkId": record["linkId"],
        "exportId": record["id"],
        "slot": record["slot"],
    }


CONTENT_TYPE = "application/x-ndjson"

#: The prefix of the records' sort keys.
RECORD = "EXPORT#"


def objects_of(workspace_id: str, items: Iterable[dict[str, Any]]) -> list[str]:
    """The objects of the exports among a link's items."""
    names = (item["sk"]["S"] for item in items)
    return [
        object_key(workspace_id, name.removeprefix(RECORD))
        for name in names
        if name.startswith(RECORD) and name != OPEN
    ]


def object_key(workspace_id: str, export_id: str) -> str:
    """The key of an export in the bucket."""
    return f"exports/{workspace_id}/{export_id}.ndjson"


def tail_key(key: str) -> str:
    """A new key for the lines of an export that are not in a part yet.

    It starts with the export's id, so that an erasure finds it.
    """
    return f"{key.removesuffix('.ndjson')}.{uuid.uuid4()}.tail"


def _key(link_id: str, export_id: str) -> dict[str, Any]:
    return primary_key(link_id, f"{RECORD}{export_id}")
