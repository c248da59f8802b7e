"""An install or a rollup that read a link just before its erasure leaves nothing.

The redirect, which writes its click in a separate call, is in ``test_purge_faults.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from functions.domain.errors import UnlinkError
from functions.repositories.idempotency import IdempotencyTable
from functions.repositories.installs import InstallsTable
from functions.repositories.links import LinksTable
from functions.schemas.installs import NewInstall
from functions.services.click_aggregation import tally
from functions.services.installs import record_install
from tests.support.clicks import click, records, rollups
from tests.support.erasure import Erasing, Erasure
from tests.support.faults import FaultyClient

pytestmark = pytest.mark.exhaustive

Write = Callable[[Erasing, Any, dict[str, Any]], None]


def _install(erasing: Erasing, client: Any, visit: dict[str, Any]) -> None:
    record_install(
        NewInstall(linkId=visit["linkId"], platform="iOS"),
        workspace_id=erasing.world.workspace_id,
        key=None,
        keys=IdempotencyTable(client, erasing.world.stores.deletions.name),
        links=LinksTable(client, erasing.world.stores.links.name),
        installs=InstallsTable(
            client, clicks=erasing.world.clicks.name, links=erasing.world.stores.links.name
        ),
    )


def _tally(erasing: Erasing, client: Any, visit: dict[str, Any]) -> None:
    assert (
        tally(
            records([visit]),
            rollups=rollups(erasing.world, client),
            failures=None,
            visitor_secret=b"test",
        )
        == []
    )


@pytest.mark.parametrize("write", [_install, _tally], ids=["install", "rollup"])
def test_a_writer_interleaved_at_every_call_leaves_nothing_behind(
    erasing: Erasing, write: Write
) -> None:
    """The link is erased before the n-th call, with or without its purge."""
    at, reached, refused = 0, True, 0
    while reached:
        for steps in (1, 2):
            [link] = erasing.world.create_items(1)
            visit = click(erasing.world, link.id, at=time.time() - 60)
            erasure = Erasure(erasing, link.id)

            def erase_first(
                _operation: str,
                call: Callable[[], Any],
                _parameters: dict[str, Any],
                erasure: Erasure = erasure,
                steps: int = steps,
            ) -> Any:
                for _ in range(steps):
                    erasure.step()
                return call()

            faulty = FaultyClient(erasing.world.dynamodb, erase_first, at)
            try:
                write(erasing, faulty, visit)
            except UnlinkError:
                refused += 1

            reached = len(faulty.calls) > at
            erasure.step()
            erasure.step()
            erasing.work_all()
            assert erasing.left_of(link.id) == [], (at, steps)
            assert erasing.header(erasure.deletion_id).state == "complete"
        at += 1
    assert at > 2
    assert write is _tally or refused
