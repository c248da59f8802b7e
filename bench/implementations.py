"""The soft delete, and three simpler implementations to compare it with.

The others only write: they do not validate, keep no record, cannot resume and do not report which
links they deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

from bench.simulated import DELETIONS, LINKS, WORKSPACE, Simulation, link_item
from functions.aws import client as aws
from functions.domain.clock import deadline
from functions.domain.deletion import Deletion
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.services.delete_links import soft_delete
from functions.services.deletion import DeletionRequest, Stores

DELETED_AT = "2026-02-01T12:00:00.000Z"
DELETION_ID = "019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b"


class Messages:
    """A queue that keeps its messages."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any], **_: Any) -> None:
        self.sent.append(message)


class Unlink:
    """The service's own soft delete: validation, record, statements, close."""

    name = "**Unlink**"

    def __init__(self, simulation: Simulation) -> None:
        aws.client.cache_clear()
        dynamodb = simulation.serve(aws.client("dynamodb"))
        self.queue = Messages()
        self._stores = Stores(
            links=LinksTable(dynamodb, LINKS),
            deletions=DeletionsTable(dynamodb, DELETIONS),
            erasures=ErasuresTable(dynamodb, DELETIONS),
            resume_queue=self.queue,  # type: ignore[arg-type]
            slots=FilterSlots(dynamodb, DELETIONS),
            open_exports=OpenExports(dynamodb, "clicks"),
        )

    def delete(self, ids: Sequence[str], *, seconds: float = 25) -> Deletion:
        with deadline(seconds):
            return soft_delete(
                ids,
                [],
                deletion_request=DeletionRequest(
                    workspace_id=WORKSPACE, actor={"keyId": "k", "userId": "u"}
                ),
                stores=self._stores,
            )


class UpdateLoop:
    """One ``update_item`` a link, one after the other, on a client as boto3 makes it."""

    name = "`update_item` loop"

    def __init__(self, simulation: Simulation) -> None:
        self._client = simulation.serve(boto3.client("dynamodb"))

    def delete(self, ids: Sequence[str]) -> None:
        for link_id in ids:
            self._client.update_item(TableName=LINKS, **_update(link_id))


class BatchWriterPuts:
    """Whole items put back with ``deletedAt``: unconditional, and not counting their reading."""

    name = "`batch_writer` puts"

    def __init__(self, simulation: Simulation) -> None:
        dynamodb = boto3.resource("dynamodb")
        simulation.serve(dynamodb.meta.client)
        self._table = dynamodb.Table(LINKS)

    def delete(self, ids: Sequence[str]) -> None:
        with self._table.batch_writer() as batch:
            for link_id in ids:
                batch.put_item(Item=_soft_deleted(link_id))


class Transactions:
    """``TransactWriteItems``, 100 conditional updates a call, one after the other."""

    name = "100-item transactions"

    def __init__(self, simulation: Simulation) -> None:
        self._client = simulation.serve(boto3.client("dynamodb"))

    def delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), 100):
            self._client.transact_write_items(
                TransactItems=[
                    {"Update": {"TableName": LINKS, **_update(link_id)}}
                    for link_id in ids[start : start + 100]
                ]
            )


def _update(link_id: str) -> dict[str, Any]:
    return {
        "Key": {"pk": {"S": f"{WORKSPACE}#{link_id}"}, "sk": {"S": "LINK"}},
        "UpdateExpression": "SET deletedAt=:at, deletionId=:by REMOVE livePk, liveSk",
        "ConditionExpression": "attribute_exists(livePk)",
        "ExpressionAttributeValues": {":at": {"S": DELETED_AT}, ":by": {"S": DELETION_ID}},
    }


@cache
def _soft_deleted(link_id: str) -> dict[str, Any]:
    """The changed item as ``boto3.resource`` would have read it; building it is not measured."""
    deserialize = TypeDeserializer().deserialize
    item = {name: deserialize(value) for name, value in link_item(link_id).items()}
    del item["livePk"], item["liveSk"]
    return item | {"deletedAt": DELETED_AT, "deletionId": DELETION_ID}


IMPLEMENTATIONS = (Unlink, UpdateLoop, BatchWriterPuts, Transactions)
