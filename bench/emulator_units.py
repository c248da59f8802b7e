"""The capacity units that an emulator reports for a soft delete, next to those of the rules.

The emulator is MiniStack, which reports none for the two batch calls, or the endpoint in
AWS_ENDPOINT_URL_DYNAMODB. DynamoDB itself reports all of them.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.implementations import Unlink
from bench.simulated import DELETIONS, LINKS, isolate, link_ids, link_item
from functions.aws import client as aws
from local.emulator import Emulator

COUNT = 1_000

#: The table of the stack -> its name here.
TABLES = {"links": LINKS, "deletions": DELETIONS}


class Meter:
    """Requests the consumed capacity of each call of a client, and sums it by operation."""

    def __init__(self) -> None:
        self.units: defaultdict[str, float] = defaultdict(float)
        self.requests: defaultdict[str, int] = defaultdict(int)

    def serve(self, client: Any) -> Any:
        events = client.meta.events
        events.register_first("provide-client-params.dynamodb", self._ask)
        events.register("after-call.dynamodb", self._add)
        return client

    def _ask(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def _add(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.requests[model.name] += 1
        consumed = parsed.get("ConsumedCapacity") or []
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self.units[model.name] += each["CapacityUnits"]


def main() -> None:
    given = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")
    isolate()
    with _emulator(given) as url:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = url
        aws.client.cache_clear()
        dynamodb = aws.client("dynamodb")
        _make_tables(dynamodb)
        try:
            _measure(dynamodb, given)
        finally:
            for table in TABLES.values():
                dynamodb.delete_table(TableName=table)
            del os.environ["AWS_ENDPOINT_URL_DYNAMODB"]


def _measure(dynamodb: Any, given: str | None) -> None:
    ids = link_ids(COUNT)
    for link_id in ids:
        dynamodb.put_item(TableName=LINKS, Item=link_item(link_id))
    meter = Meter()
    Unlink(meter).delete(ids)
    print(f"{COUNT:,} links on {given or 'MiniStack'}:\n")
    print("| operation | calls | units reported | a link |")
    print("|---|---|---|---|")
    for operation, calls in sorted(meter.requests.items()):
        units = meter.units.get(operation)
        cells = f"{units:,.1f} | {units / COUNT:.3f}" if units else "none | "
        print(f"| {operation} | {calls} | {cells} |")


@contextmanager
def _emulator(given: str | None) -> Iterator[str]:
    if given:
        yield given
    else:
        with Emulator(log_name="emulator-bench") as emulator:
            yield emulator.url


def _make_tables(dynamodb: Any) -> None:
    from tests.support.template import synthesized_template, table_definitions

    for definition in table_definitions(synthesized_template()):
        if name := TABLES.get(definition["TableName"]):
            dynamodb.create_table(**definition | {"TableName": name})
            dynamodb.get_waiter("table_exists").wait(TableName=name)
