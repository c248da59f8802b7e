"""An emulator with the stack's tables, for the benchmarks of whole functions."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import capacity
from bench.simulated import isolate
from functions import config, container
from functions.aws import client as aws
from local.emulator import Emulator


@contextmanager
def tables() -> Iterator[Emulator]:
    """MiniStack with the stack's tables, named in the environment as for a function."""
    from tests.support.template import synthesized_template, table_definitions

    isolate()
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    os.environ["POWERTOOLS_SERVICE_NAME"] = "bench"
    with Emulator(log_name="emulator-bench") as emulator:
        os.environ["AWS_ENDPOINT_URL"] = emulator.url
        _forget()
        dynamodb = emulator.client("dynamodb")
        for definition in table_definitions(synthesized_template()):
            dynamodb.create_table(**definition)
            os.environ[f"{definition['TableName'].upper()}_TABLE"] = definition["TableName"]
        try:
            yield emulator
        finally:
            del os.environ["AWS_ENDPOINT_URL"]
            _forget()


def _forget() -> None:
    config.setting.cache_clear()
    config.optional_setting.cache_clear()
    aws.client.cache_clear()
    container.reset()


class Reads:
    """Counts the calls of a client, and the capacity of its reads by DynamoDB's rules.

    MiniStack reports none for BatchGetItem, so the items of the responses are measured.
    """

    def __init__(self, client: Any) -> None:
        self.calls: Counter[str] = Counter()
        self.units = 0.0
        client.meta.events.register("after-call.dynamodb", self._add)

    def clear(self) -> None:
        self.calls.clear()
        self.units = 0.0

    def _add(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        if model.name == "Query":
            # Eventually consistent, and rounded up once for all items of the call.
            found = sum(capacity.size(item) for item in parsed["Items"])
            self.units += max(1, math.ceil(found / 4096)) / 2
        elif model.name == "BatchGetItem":
            for items in parsed["Responses"].values():
                self.units += sum(capacity.read_units(item) for item in items)
        elif model.name == "GetItem":
            self.units += capacity.read_units(parsed.get("Item", {}))
