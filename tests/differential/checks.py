"""One check for each shape of call: raises ``AssertionError`` when DynamoDB or an emulator differs.

What must come back is AWS's reference: the DynamoDB API Reference of each operation and the
Developer Guide's chapters on PartiQL, transactions and capacity.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from functions.aws.codec import to_item
from tests.differential.expressions import CONDITIONS, KEYS, SORT_KEYS, UPDATES, Item
from tests.differential.table import INDEX, Table, error_of, plain

Check = Callable[[Table], None]
CHECKS: dict[str, Check] = {}

#: Shapes on which an implementation is known to differ from the reference: listed, and not hidden.
KNOWN: dict[str, str] = {
    "capacity of statements that leave an index": "MiniStack reports 25 units for 25 statements "
    "that leave the index, and not 50; budgets compute units by the guide's rules",
    "one item twice in a batch": "MiniStack accepts it; the product never sends it",
    "reads and writes in a batch": "MiniStack accepts it; the product never sends it",
}


def check(name: str) -> Callable[[Check], Check]:
    """Register a check under a shape's name."""

    def register(function: Check) -> Check:
        assert name not in CHECKS, name
        CHECKS[name] = function
        return function

    return register


def expect_error(code: str, call: Callable[[], Any]) -> ClientError:
    found: ClientError | None = None
    try:
        call()
    except ClientError as error:
        found = error
    assert found is not None, f"no error, expected {code}"
    assert error_of(found) == code, f"{error_of(found)}, expected {code}"
    return found


def _lay(table: Table, item: Item) -> None:
    table.remove() if item is None else table.put(item)


# -- expressions -----------------------------------------------------------------------------


def _condition(shape: str, table: Table) -> None:
    condition = CONDITIONS[shape]
    values = to_item(condition.values | {":new": 1})
    for number, (item, holds) in enumerate(
        [(each, True) for each in condition.holds] + [(each, False) for each in condition.fails]
    ):
        own = Table(table.client, table.name, f"{table.pk}-{number}")
        _lay(own, item)
        before = own.item()
        update = {
            "TableName": own.name,
            "Key": own.key(),
            "UpdateExpression": "SET changed=:new",
            "ConditionExpression": condition.expression,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

        def send(update: dict[str, Any] = update) -> Any:
            return table.client.update_item(**update)

        if holds:
            send()
            assert own.item() == (before or {}) | {"changed": 1}, item
            continue
        error = expect_error("ConditionalCheckFailedException", send)
        old: Any = error.response.get("Item")
        assert (plain(old) if old else None) == before, (item, old)
        assert own.item() == before, item
        # A transaction gives the same reason, with the item.
        cancelled: Any = expect_error(
            "TransactionCanceledException",
            partial(table.client.transact_write_items, TransactItems=[{"Update": update}]),
        )
        [reason] = cancelled.response["CancellationReasons"]
        assert reason["Code"] == "ConditionalCheckFailed", reason
        assert (plain(reason["Item"]) if reason.get("Item") else None) == before, reason


def _update(shape: str, table: Table) -> None:
    update = UPDATES[shape]
    # An empty map of values is refused.
    values = {"ExpressionAttributeValues": to_item(update.values)} if update.values else {}
    for before, after in update.changes:
        _lay(table, before)
        table.client.update_item(
            TableName=table.name,
            Key=table.key(),
            UpdateExpression=update.expression,
            **values,
        )
        assert table.item() == after, before


def _key(shape: str, table: Table) -> None:
    expression, values, expected = KEYS[shape]
    for sk in SORT_KEYS[::-1]:
        table.put(sk=sk)
    found = table.client.query(
        TableName=table.name,
        KeyConditionExpression=expression,
        ExpressionAttributeValues=to_item({":p": table.pk} | values),
        ConsistentRead=True,
    )
    assert [item["sk"]["S"] for item in found["Items"]] == expected
    assert "LastEvaluatedKey" not in found


for _shape in CONDITIONS:
    CHECKS[f"condition: {_shape}"] = partial(_condition, _shape)
for _shape in UPDATES:
    CHECKS[f"update: {_shape}"] = partial(_update, _shape)
for _shape in KEYS:
    CHECKS[f"key: {_shape}"] = partial(_key, _shape)


@check("filter: a = ?")
def _filter(table: Table) -> None:
    """A filter applies after the limit: what it drops counts (API Reference, Query)."""
    for number in range(6):
        table.put({"x": number % 2 == 0}, sk=f"K{number}")
    found = table.client.query(
        TableName=table.name,
        KeyConditionExpression="pk=:p",
        FilterExpression="x=:x",
        ExpressionAttributeValues=to_item({":p": table.pk, ":x": True}),
        Limit=3,
    )
    assert [item["sk"]["S"] for item in found["Items"]] == ["K0", "K2"]
    assert (found["Count"], found["ScannedCount"]) == (2, 3)
    assert found["LastEvaluatedKey"] == table.key("K2")


# -- reads -----------------------------------------------------------------------------------


def _get(consistent: bool, projection: bool, table: Table) -> None:
    table.put({"x": 1, "y": {"z": [2]}})
    options = {"ProjectionExpression": "x"} if projection else {}
    read = {"TableName": table.name, "ConsistentRead": consistent} | options
    if consistent:
        found = table.client.get_item(Key=table.key(), **read)
        expected = {"x": 1} if projection else {"x": 1, "y": {"z": [2]}}
        assert plain(found["Item"]) == expected
    assert "Item" not in table.client.get_item(Key=table.key("absent"), **read)


CHECKS["GetItem ConsistentRead=True"] = partial(_get, True, False)
CHECKS["GetItem ConsistentRead=False"] = partial(_get, False, False)
CHECKS["GetItem ConsistentRead=True ProjectionExpression"] = partial(_get, True, True)


def _batch_get(consistent: bool, projection: bool, table: Table) -> None:
    for number in range(0, 100, 2):
        table.put({"x": number, "y": 0}, sk=f"K{number}")
    request: dict[str, Any] = {
        "Keys": [table.key(f"K{number}") for number in range(100)],
        "ConsistentRead": consistent,
    }
    if projection:
        request |= {
            "ProjectionExpression": "sk, #x",
            "ExpressionAttributeNames": {"#x": "x"},
        }
    response = table.client.batch_get_item(RequestItems={table.name: request})
    assert not response["UnprocessedKeys"]
    found = response["Responses"][table.name]
    if consistent:
        assert sorted(int(each["x"]["N"]) for each in found) == list(range(0, 100, 2))
        assert all(set(each) == {"sk", "x"} for each in found) == projection
    request["Keys"] = [table.key()] * 2
    expect_error(
        "ValidationException",
        lambda: table.client.batch_get_item(RequestItems={table.name: request}),
    )


CHECKS["BatchGetItem ConsistentRead=True"] = partial(_batch_get, True, False)
CHECKS["BatchGetItem ConsistentRead=False"] = partial(_batch_get, False, False)
CHECKS["BatchGetItem ConsistentRead=True ProjectionExpression"] = partial(_batch_get, True, True)


def _query(shape: str, table: Table) -> None:
    """A query with these options, compared with what they mean."""
    options = shape.split()[1:]
    indexed = "IndexName" in options
    for number in range(7):
        index_keys = {"livePk": table.pk, "liveSk": f"L{6 - number}"} if number % 2 else {}
        table.put({"x": number, **index_keys}, sk=f"K{number}")
    parameters: dict[str, Any] = {
        "TableName": table.name,
        "KeyConditionExpression": "livePk=:p" if indexed else "pk=:p",
        "ExpressionAttributeValues": {":p": {"S": table.pk}},
    }
    if indexed:
        parameters["IndexName"] = INDEX
        # By the index's sort key, which runs the other way.
        expected = ["K5", "K3", "K1"]
    else:
        expected = [f"K{number}" for number in range(7)]
    parameters["ConsistentRead"] = not indexed
    if "ScanIndexForward=False" in options:
        parameters["ScanIndexForward"] = False
        expected.reverse()
    if "ProjectionExpression" in options:
        parameters["ProjectionExpression"] = "sk"
    if "Select=COUNT" in options:
        response = _settled(table, parameters | {"Select": "COUNT"}, len(expected))
        assert "Items" not in response
        return
    response = _settled(table, parameters, len(expected))
    assert [item["sk"]["S"] for item in response["Items"]] == expected
    names = {"pk", "sk", "livePk", "liveSk"} if indexed else {"pk", "sk", "x"}
    if "ProjectionExpression" in options:
        names = {"sk"}
    assert all(names <= set(item) for item in response["Items"])
    # KEYS_ONLY and a projection leave the rest out.
    assert all("x" not in item or "x" in names for item in response["Items"])
    if "Limit" in options:
        first = table.client.query(**parameters, Limit=2)
        assert [item["sk"]["S"] for item in first["Items"]] == expected[:2]
        rest = table.client.query(**parameters, ExclusiveStartKey=first["LastEvaluatedKey"])
        assert [item["sk"]["S"] for item in rest["Items"]] == expected[2:]


def _settled(table: Table, parameters: dict[str, Any], count: int) -> Any:
    """An index follows its table within a moment (GSI reads are eventually consistent)."""
    for _ in range(50):
        response = table.client.query(**parameters)
        if response["Count"] == count:
            break
    assert response["Count"] == count
    return response


for _shape in (
    "Query",
    "Query ConsistentRead=True",
    "Query ConsistentRead=True Limit",
    "Query ConsistentRead=True Limit ProjectionExpression",
    "Query ConsistentRead=True ScanIndexForward=False",
    "Query ConsistentRead=True ScanIndexForward=True",
    "Query ConsistentRead=True ScanIndexForward=False Limit",
    "Query ConsistentRead=True ScanIndexForward=False Limit ProjectionExpression",
    "Query IndexName",
    "Query IndexName Limit",
    "Query ScanIndexForward=False IndexName Limit",
    "Query ScanIndexForward=False IndexName Limit ExclusiveStartKey",
    "Query Select=COUNT IndexName",
):
    CHECKS[_shape] = partial(_query, _shape)


# -- writes ----------------------------------------------------------------------------------


@check("PutItem")
def _put(table: Table) -> None:
    """Replaces the whole item."""
    table.put({"x": 1, "y": 2})
    table.put({"x": 3})
    assert table.item() == {"x": 3}


@check("PutItem ReturnValuesOnConditionCheckFailure=ALL_OLD")
def _put_old(table: Table) -> None:
    put = {
        "TableName": table.name,
        "Item": table.key() | to_item({"x": 2}),
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    table.client.put_item(**put)
    error = expect_error("ConditionalCheckFailedException", lambda: table.client.put_item(**put))
    assert plain(error.response["Item"]) == {"x": 2}  # type: ignore[typeddict-item]
    del put["ReturnValuesOnConditionCheckFailure"]
    error = expect_error("ConditionalCheckFailedException", lambda: table.client.put_item(**put))
    assert "Item" not in error.response


def _returning(value: str, expected: dict[str, Any], table: Table) -> None:
    table.put({"x": 1, "y": 2})
    response = table.client.update_item(
        TableName=table.name,
        Key=table.key(),
        UpdateExpression="SET x=:x",
        ExpressionAttributeValues={":x": {"N": "5"}},
        **({"ReturnValues": value} if value else {}),
    )
    assert plain(response.get("Attributes", {})) == expected


CHECKS["UpdateItem"] = partial(_returning, "", {})
CHECKS["UpdateItem ReturnValues=UPDATED_NEW"] = partial(_returning, "UPDATED_NEW", {"x": 5})


@check("UpdateItem ReturnValues=ALL_NEW ReturnValuesOnConditionCheckFailure=ALL_OLD")
def _update_both(table: Table) -> None:
    """The new item when the condition holds, the current one when it fails."""
    table.put({"x": 1, "y": 2})
    update: dict[str, Any] = {
        "TableName": table.name,
        "Key": table.key(),
        "UpdateExpression": "SET x=:x",
        "ConditionExpression": "x<:x",
        "ExpressionAttributeValues": {":x": {"N": "5"}},
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    response = table.client.update_item(**update)
    assert plain(response["Attributes"]) == {"x": 5, "y": 2}
    error = expect_error(
        "ConditionalCheckFailedException", lambda: table.client.update_item(**update)
    )
    refused_by: Any = error.response
    assert plain(refused_by["Item"]) == {"x": 5, "y": 2}


@check("UpdateItem ReturnValuesOnConditionCheckFailure=ALL_OLD")
def _update_absent(table: Table) -> None:
    """Of an item that is not there nothing is returned, and nothing is created."""
    error = expect_error(
        "ConditionalCheckFailedException",
        lambda: table.client.update_item(
            TableName=table.name,
            Key=table.key(),
            UpdateExpression="SET x=:x",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":x": {"N": "5"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        ),
    )
    assert "Item" not in error.response
    assert table.item() is None


@check("BatchWriteItem PutRequest")
def _batch_put(table: Table) -> None:
    entries = [{"PutRequest": {"Item": table.key(f"K{n}") | to_item({"x": n})}} for n in range(25)]
    response = table.client.batch_write_item(RequestItems={table.name: entries})
    assert not response["UnprocessedItems"]
    assert [table.item(f"K{n}") for n in (0, 24)] == [{"x": 0}, {"x": 24}]
    twice = [entries[0], entries[0]]
    expect_error(
        "ValidationException",
        lambda: table.client.batch_write_item(RequestItems={table.name: twice}),
    )


@check("BatchWriteItem DeleteRequest")
def _batch_delete(table: Table) -> None:
    """To delete what is not there is no error."""
    table.put({"x": 1})
    entries = [{"DeleteRequest": {"Key": table.key(sk)}} for sk in ("ITEM", "absent")]
    response = table.client.batch_write_item(RequestItems={table.name: entries})
    assert not response["UnprocessedItems"]
    assert table.item() is None


# -- transactions ----------------------------------------------------------------------------


def _actions(table: Table) -> dict[str, dict[str, Any]]:
    """One action of each kind that applies once `_before` is laid out."""
    return {
        "ConditionCheck": {
            "TableName": table.name,
            "Key": table.key("CHECKED"),
            "ConditionExpression": "attribute_exists(pk)",
        },
        "Delete": {"TableName": table.name, "Key": table.key("DELETED")},
        "Put": {"TableName": table.name, "Item": table.key("PUT") | to_item({"x": 1})},
        "Update": {
            "TableName": table.name,
            "Key": table.key("UPDATED"),
            "UpdateExpression": "ADD x :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        },
    }


def _transaction(kind: str, table: Table) -> None:
    """All apply or none; the reasons stand in the order of the actions; a token applies once."""
    for sk in ("CHECKED", "DELETED", "UPDATED"):
        table.put({"x": 1}, sk=sk)
    actions = [{name: content} for name, content in _actions(table).items()]
    refused = [
        {name: content | {"ConditionExpression": "x=:no", **_no(content)}}
        if name == kind
        else {name: content}
        for name, content in _actions(table).items()
    ]
    error = expect_error(
        "TransactionCanceledException",
        lambda: table.client.transact_write_items(TransactItems=refused),
    )
    codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
    assert codes == [
        "ConditionalCheckFailed" if name == kind else "None" for name in _actions(table)
    ]
    skeys = ("CHECKED", "DELETED", "PUT", "UPDATED")
    assert [table.item(sk) for sk in skeys] == [{"x": 1}, {"x": 1}, None, {"x": 1}]
    token = str(uuid.uuid4())
    for _ in range(2):
        table.client.transact_write_items(TransactItems=actions, ClientRequestToken=token)
    assert [table.item(sk) for sk in skeys] == [{"x": 1}, None, {"x": 1}, {"x": 2}]
    changed = [*actions[:3], {"Put": {"TableName": table.name, "Item": table.key("OTHER")}}]
    expect_error(
        "IdempotentParameterMismatchException",
        lambda: table.client.transact_write_items(TransactItems=changed, ClientRequestToken=token),
    )


def _no(content: dict[str, Any]) -> dict[str, Any]:
    values = content.get("ExpressionAttributeValues", {})
    return {"ExpressionAttributeValues": values | {":no": {"S": "never"}}}


for _kind in ("ConditionCheck", "Delete", "Put", "Update"):
    CHECKS[f"TransactWriteItems {_kind}"] = partial(_transaction, _kind)


# -- PartiQL ---------------------------------------------------------------------------------


def _statements(table: Table, sql: str, parameters: Iterable[list[Any]], **options: Any) -> Any:
    statement = sql.replace("TABLE", f'"{table.name}"')
    typed = [list(to_item({str(n): v for n, v in enumerate(each)}).values()) for each in parameters]
    return table.client.batch_execute_statement(
        Statements=[{"Statement": statement, "Parameters": each, **options} for each in typed],
        ReturnConsumedCapacity="TOTAL",
    )


@check("statement: INSERT INTO a VALUE { a a ?, a a ?, a a ?, a a ? }")
def _insert(table: Table) -> None:
    """An item that is there is an error of its statement alone."""
    table.put({"first": "old"}, sk="K1")
    rows = [[table.pk, f"K{n}", "new", 9] for n in range(3)]
    responses = _statements(
        table, "INSERT INTO TABLE VALUE {'pk':?,'sk':?,'first':?,'ttl':?}", rows
    )["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == [
        None,
        "DuplicateItem",
        None,
    ]
    assert [table.item(f"K{n}") for n in range(3)] == [
        {"first": "new", "ttl": 9},
        {"first": "old"},
        {"first": "new", "ttl": 9},
    ]


_SOFT_DELETE = (
    'UPDATE TABLE SET "deletedAt"=? SET "deletionId"=? REMOVE "livePk" REMOVE "liveSk" '
    'WHERE "pk"=? AND "sk"=? AND "fencingToken"=? AND "deletedAt" IS MISSING'
)


@check(
    "statement: UPDATE a SET a = ? REMOVE a WHERE a = ? AND a = ? AND a IS MISSING"
    " ReturnValuesOnConditionCheckFailure=ALL_OLD"
)
def _soft_delete(table: Table) -> None:
    """Each statement succeeds or fails by itself; a failed one has the item, if there is one."""
    live = {"livePk": table.pk, "liveSk": "L", "fencingToken": "0"}
    table.put(live, sk="LIVE")
    table.put({"deletedAt": "before", "deletionId": "other", "fencingToken": "0"}, sk="DELETED")
    rows = [["now", "mine", table.pk, sk, "0"] for sk in ("LIVE", "DELETED", "ABSENT")]
    result = _statements(table, _SOFT_DELETE, rows, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    responses = result["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "ConditionalCheckFailed", "ConditionalCheckFailed"]
    # AWS may leave `Error.Item` out, some measured: the product then reads the item.
    assert responses[1]["Error"].get("Item", {}).get("deletionId") == {"S": "other"}, (
        "no Error.Item"
    )
    assert "Item" not in responses[2]["Error"]
    assert table.item("LIVE") == {"deletedAt": "now", "deletionId": "mine", "fencingToken": "0"}
    assert table.item("ABSENT") is None


@check(
    "statement: UPDATE a SET a = ? REMOVE a WHERE a = ? AND a = ? AND a IS NOT MISSING AND a < ?"
    " ReturnValuesOnConditionCheckFailure=ALL_OLD"
)
def _restore(table: Table) -> None:
    for sk, token in (("OLD", "1"), ("NEW", "3")):
        table.put({"deletionId": "mine", "deletedAt": "then", "fencingToken": token}, sk=sk)
    rows = [["2", table.pk, sk, "mine", "2"] for sk in ("OLD", "NEW", "ABSENT")]
    responses = _statements(
        table,
        'UPDATE TABLE SET "fencingToken"=? REMOVE "deletedAt" REMOVE "deletionId" WHERE "pk"=? '
        'AND "sk"=? AND "deletionId"=? AND "deletedAt" IS NOT MISSING AND "fencingToken"<?',
        rows,
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert table.item("OLD") == {"fencingToken": "2"}
    assert table.item("NEW") == {"deletionId": "mine", "deletedAt": "then", "fencingToken": "3"}


# -- limits and known differences ------------------------------------------------------------


@check("one item in two actions of a transaction")
def _transaction_twice(table: Table) -> None:
    """It is refused as a whole (API Reference, TransactWriteItems)."""
    update = _actions(table)["Update"]
    expect_error(
        "ValidationException",
        lambda: table.client.transact_write_items(
            TransactItems=[{"Update": update}, {"Update": update}]
        ),
    )


@check("26 statements in a batch")
def _too_many(table: Table) -> None:
    rows = [["now", "mine", table.pk, f"K{n}", "0"] for n in range(26)]
    expect_error("ValidationException", lambda: _statements(table, _SOFT_DELETE, rows))


@check("capacity of statements that leave an index")
def _capacity(table: Table) -> None:
    """One unit for the item and one for the index entry that goes."""
    rows = []
    for number in range(25):
        table.put({"livePk": table.pk, "liveSk": "L", "fencingToken": "0"}, sk=f"K{number}")
        rows.append(["now", "mine", table.pk, f"K{number}", "0"])
    consumed = _statements(table, _SOFT_DELETE, rows)["ConsumedCapacity"]
    assert sum(each["CapacityUnits"] for each in consumed) == 50


@check("one item twice in a batch")
def _twice(table: Table) -> None:
    rows = [["now", "mine", table.pk, "K", "0"]] * 2
    expect_error("ValidationException", lambda: _statements(table, _SOFT_DELETE, rows))


@check("reads and writes in a batch")
def _mixed(table: Table) -> None:
    key = [{"S": table.pk}, {"S": "K"}]
    mixed = [
        {"Statement": f'SELECT * FROM "{table.name}" WHERE pk=? AND sk=?', "Parameters": key},
        {"Statement": f"INSERT INTO \"{table.name}\" VALUE {{'pk':?,'sk':?}}", "Parameters": key},
    ]
    expect_error(
        "ValidationException", lambda: table.client.batch_execute_statement(Statements=mixed)
    )


def results(client: Any, name: str) -> Iterator[tuple[str, str | None]]:
    """Each shape, and how the implementation differs from the reference (None: not at all)."""
    for number, (shape, run) in enumerate(CHECKS.items()):
        try:
            run(Table(client, name, f"check-{number}"))
        except AssertionError as difference:
            yield shape, str(difference) or "another result"
        except ClientError as error:
            yield shape, f"{error_of(error)}: {error.response['Error'].get('Message', '')}"
        else:
            yield shape, None
