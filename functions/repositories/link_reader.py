"""Strongly consistent reads of many items of the ``links`` table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from functions.aws.codec import runs
from functions.aws.dynamodb import batch_get
from functions.aws.fast_json import HOLE, around, quote
from functions.aws.parallel import in_parallel
from functions.repositories.link_items import LINK

#: Keys of one BatchGetItem call (API limit).
READ_BATCH = 100

Decoded = TypeVar("Decoded")


def read_items(
    client: Any,
    table: str,
    names: Sequence[str],
    *,
    keys: Callable[[Sequence[str]], Sequence[dict[str, Any] | str]],
    decode: Callable[[Iterable[dict[str, Any]]], list[Decoded]],
    attributes: Mapping[str, str] | None = None,
) -> list[Decoded]:
    """The items that exist of these names, decoded; 100 a call, in parallel; in no order.

    ``keys`` encodes the keys of a batch of names, ``decode`` reads the items of one call.
    ``attributes`` are those to read, by alias; all without it.
    """
    if not names:
        return []
    more: dict[str, Any] = {}
    if attributes is not None:
        more = {
            "ProjectionExpression": ",".join(attributes),
            "ExpressionAttributeNames": attributes,
        }

    def read(batch: Sequence[str]) -> list[Decoded]:
        request = {"Keys": keys(batch), "ConsistentRead": True, **more}
        return decode(item for _, item in batch_get(client, {table: request}))

    parts = in_parallel(read, list(runs(names, READ_BATCH)))
    return [each for part in parts for each in part]


_BEFORE_PK, _AFTER_PK = around({"pk": {"S": HOLE}, "sk": LINK})


def encoded_link_keys(workspace_id: str, link_ids: Sequence[str]) -> list[str]:
    """The keys of these links as JSON: encoding them one by one is most of a call's cost."""
    prefix = f"{workspace_id}#"
    return [_BEFORE_PK + quote(prefix + link_id) + _AFTER_PK for link_id in link_ids]
