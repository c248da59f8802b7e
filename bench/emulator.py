"""An emulator with the stack's tables, for the benchmarks of whole functions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.simulated import isolate
from functions import config, container
from functions.aws import client as aws
from functions.domain.clock import iso
from functions.domain.ids import new_click_id
from functions.domain.link import Link
from functions.repositories.links import LinksTable
from functions.schemas.links import NewLink
from functions.services.create_links import create_links
from local.emulator import Emulator

WORKSPACE = "ws-bench"

#: A second of a day in 2026.
NOON = 1_780_000_000


@contextmanager
def tables() -> Iterator[Emulator]:
    """MiniStack with the stack's tables, named in the environment as for a function."""
    isolate()
    with Emulator(log_name="emulator-bench") as emulator, _tables_at(emulator.url):
        yield emulator


@contextmanager
def tables_in_process() -> Iterator[None]:
    """The same tables without HTTP, where capacity units are measured and no time."""
    from tests.support import in_process_dynamodb

    isolate()
    with in_process_dynamodb.serving() as url, _tables_at(url):
        yield


@contextmanager
def _tables_at(url: str) -> Iterator[None]:
    from tests.support.template import synthesized_template, table_definitions

    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    os.environ["POWERTOOLS_SERVICE_NAME"] = "bench"
    os.environ["AWS_ENDPOINT_URL"] = url
    _forget()
    dynamodb = aws.client("dynamodb")
    names = []
    for definition in table_definitions(synthesized_template()):
        dynamodb.create_table(**definition)
        names.append(definition["TableName"])
        os.environ[f"{names[-1].upper()}_TABLE"] = names[-1]
    try:
        yield
    finally:
        for name in names:
            dynamodb.delete_table(TableName=name)
        del os.environ["AWS_ENDPOINT_URL"]
        _forget()


def new_links(count: int, **fields: Any) -> list[Link]:
    """Create live links with these fields; at most 1,000."""
    new = [NewLink(originalUrl="https://example.com/page", **fields)] * count
    table = LinksTable(aws.client("dynamodb"), "links")
    return create_links(new, workspace_id=WORKSPACE, user_id="bench", links=table)


def a_click(link_id: str, second: float = NOON, **fields: Any) -> dict[str, Any]:
    """A click of a person's phone at this Unix time, with these fields."""
    milliseconds = int(second * 1000)
    return {
        "id": new_click_id(link_id, milliseconds),
        "linkId": link_id,
        "workspaceId": WORKSPACE,
        "clickedAt": iso(milliseconds / 1000),
        "ipAddress": "192.0.2.1",
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1",
        "deviceType": "mobile",
        "platform": "iOS",
        "isBot": False,
        **fields,
    }


def _forget() -> None:
    config.setting.cache_clear()
    config.optional_setting.cache_clear()
    aws.client.cache_clear()
    container.reset()
