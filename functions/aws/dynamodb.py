"""DynamoDB's operations, each with retries and translated errors."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from functions.aws.calls import ConditionFailed, call, until_done
from functions.aws.codec import runs, to_item
from functions.aws.parallel import in_parallel

#: Limits of the API: keys of one BatchGetItem call, requests of one BatchWriteItem call, statements
#: of one BatchExecuteStatement call, actions of one transaction.
READ_BATCH = 100
WRITE_BATCH = 25
STATEMENT_BATCH = 25
TRANSACTION_ACTIONS = 100

_Decoded = TypeVar("_Decoded")


def batch_get(client: Any, wanted: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """``BatchGetItem`` of at most 100 keys: (table, item) of each that is there.

    ``wanted`` has keys and options by table. Raises ``Unavailable`` when some stay unread.
    """
    found: list[tuple[str, dict[str, Any]]] = []

    def read(keys: dict[str, Any]) -> dict[str, Any]:
        response = call(client.batch_get_item, RequestItems=keys)
        for table, items in response["Responses"].items():
            found.extend((table, item) for item in items)
        return response.get("UnprocessedKeys") or {}

    until_done(read, wanted)
    return found


def transact(client: Any, actions: list[dict[str, Any]], *, token: str | None = None) -> None:
    """``TransactWriteItems`` of at most 100 actions; all apply or none.

    The token (DynamoDB keeps it for ten minutes) makes a retry after a lost response safe. Raises
    :class:`TransactionCancelled` with the reason of every action.
    """
    call(
        client.transact_write_items,
        TransactItems=actions,
        ClientRequestToken=token or str(uuid.uuid4()),
    )


class Table:
    """A table. Repositories derive from it.

    In the expressions of :meth:`_update_item` and :meth:`_update_action`, ``#name`` stands for the
    attribute ``name``.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    # -- read -------------------------------------------------------------------------------

    def _read_item(self, key: dict[str, Any], **more: Any) -> dict[str, Any] | None:
        """``GetItem``, strongly consistent; None if there is no such item."""
        item: dict[str, Any] | None = call(
            self._client.get_item, TableName=self.name, Key=key, ConsistentRead=True, **more
        ).get("Item")
        return item

    def _read_items(
        self,
        names: Iterable[str],
        *,
        keys: Callable[[Sequence[str]], Sequence[dict[str, Any] | str]],
        decode: Callable[[dict[str, Any]], _Decoded | None],
        attributes: Sequence[str] | None = None,
    ) -> list[_Decoded]:
        """The items that exist of these names, decoded, each once; strongly consistent, 100 a call,
        in parallel; in no order.

        ``keys`` encodes the keys of a batch of names. Items that ``decode`` reads as None are left
        out. ``attributes`` are those to read; all without it.
        """
        more: dict[str, Any] = {}
        if attributes is not None:
            aliases = {f"#{number}": name for number, name in enumerate(attributes)}
            more = {"ProjectionExpression": ",".join(aliases), "ExpressionAttributeNames": aliases}

        def read(batch: Sequence[str]) -> list[_Decoded]:
            request = {"Keys": keys(batch), "ConsistentRead": True, **more}
            found = batch_get(self._client, {self.name: request})
            return [each for _, item in found if (each := decode(item)) is not None]

        # DynamoDB refuses a batch that has a key twice.
        distinct = list(dict.fromkeys(names))
        parts = in_parallel(read, list(runs(distinct, READ_BATCH)))
        return [each for part in parts for each in part]

    def _query(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a ``Query``; the next page is read only when its first item is needed."""
        while True:
            response = call(self._client.query, TableName=self.name, **parameters)
            yield from response["Items"]
            if "LastEvaluatedKey" not in response:
                return
            parameters["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def _items_of(self, pk: str, prefix: str = "", **more: Any) -> Iterator[dict[str, Any]]:
        """The items of a partition, strongly consistent, in the order of their sort keys; with
        ``prefix`` only those whose sort key begins with it.
        """
        return self._query(
            KeyConditionExpression="pk=:pk" + (" AND begins_with(sk,:prefix)" if prefix else ""),
            ExpressionAttributeValues=to_item({":pk": pk, ":prefix": prefix or None}),
            ConsistentRead=True,
            **more,
        )

    # -- write ------------------------------------------------------------------------------

    def _create_item(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """``PutItem`` unless there is an item with this key; None if it was put, else that item.

        After a lost response, the retry finds the item that the first attempt put.
        """
        put = self._create_action(item)["Put"]
        try:
            call(self._client.put_item, **put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ConditionFailed as failed:
            return failed.item
        return None

    def _create_action(self, item: dict[str, Any]) -> dict[str, Any]:
        """The transaction action that puts an item, refused if there is one with its key."""
        is_new = "attribute_not_exists(pk)"
        return {"Put": {"TableName": self.name, "Item": item, "ConditionExpression": is_new}}

    def _update_item(
        self,
        key: dict[str, Any],
        expression: str,
        *,
        condition: str,
        values: dict[str, Any],
        send: Callable[..., Any] = call,
    ) -> dict[str, Any] | None:
        """``UpdateItem`` on a condition; None if it applied, else the current item ({}: there is
        none).

        After a lost response, the retry may find the item that the first attempt wrote; the caller
        must recognise it, or ``send`` with ``call_at_most_once``.
        """
        update = self._update_action(key, expression, condition=condition, values=values)["Update"]
        try:
            send(self._client.update_item, **update, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ConditionFailed as failed:
            return failed.item
        return None

    def _update_action(
        self, key: dict[str, Any], expression: str, *, condition: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        """The action of :meth:`_update_item` in a transaction."""
        names = {f"#{name}": name for name in re.findall(r"#(\w+)", f"{expression} {condition}")}
        update = {
            "TableName": self.name,
            "Key": key,
            "UpdateExpression": expression,
            "ConditionExpression": condition,
        }
        if names:
            update["ExpressionAttributeNames"] = names
        if values:
            update["ExpressionAttributeValues"] = values
        return {"Update": update}
