"""A program of a user: `make lint` checks its types as mypy --strict does, and a test runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, assert_type

from unlink_client import (
    AsyncDeletion,
    AsyncUnlink,
    Deletion,
    DeletionResult,
    Link,
    NewLink,
    Plan,
    Preview,
    RestoredLinks,
    Unlink,
    UnlinkError,
    WrittenLink,
)


def tidy(unlink: Unlink) -> list[str]:
    """Deletes links without clicks; returns the outcomes of all ids."""
    link = unlink.create(NewLink(original_url="https://example.com/", tags=("tour",)))
    assert_type(link, Link)
    assert_type(link.expires_at, datetime | None)
    assert_type(unlink.links(tag="tour", max_clicks=0), Iterator[Link])
    assert_type(unlink.preview([link.id]), Preview)
    plan = unlink.plan(tag="tour", erase=False)
    assert_type(plan, Plan)
    try:
        deletion = unlink.apply(plan, reason="over").wait(timeout=60)
    except UnlinkError as error:
        return [str(error)]
    assert_type(deletion, Deletion)
    assert_type(deletion.outcomes(), Iterator[DeletionResult])
    found: list[str] = [each.outcome for each in deletion.outcomes()]
    assert_type(deletion.restore(), RestoredLinks)
    assert_type(unlink.update(link.id, title=None), Link | WrittenLink)
    return found


async def tidy_asynchronously(unlink: AsyncUnlink) -> AsyncDeletion:
    """The same for asyncio."""
    assert_type(unlink.links(tag="tour"), AsyncIterator[Link])
    plan = await unlink.plan(tag="tour")
    return await (await unlink.apply(plan)).wait()


def mistakes(unlink: Unlink) -> tuple[Any, ...]:
    """What the types forbid; never run. Each line is an error, or mypy says so."""
    return (
        unlink.plan(tags="tour"),  # type: ignore[call-arg]
        unlink.links(max_clicks="0"),  # type: ignore[arg-type]
        unlink.create(NewLink(url="https://example.com/")),  # type: ignore[call-arg]
        unlink.qr("code", format="gif"),  # type: ignore[arg-type]
        unlink.update("code", short_code="other"),  # type: ignore[call-arg]
    )
