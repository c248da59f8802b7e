"""A deletion, with a method to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from unlink_client.errors import DeletionFailed, WaitTimeout
from unlink_client.models import DeletionRecord, DeletionResult, RestoredLinks
from unlink_client.retries import Pauses

if TYPE_CHECKING:
    from unlink_client.aio.deletions import AsyncDeletions


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncDeletion(DeletionRecord):
    """The record of a deletion as the service returned it; :meth:`refresh` reads it again."""

    _client: AsyncDeletions = field(repr=False, compare=False)

    @classmethod
    def of(cls, record: DeletionRecord, client: AsyncDeletions) -> Self:
        """A record with the client that reads it again."""
        known = {each.name: getattr(record, each.name) for each in fields(DeletionRecord)}
        return cls(**known, _client=client)

    async def refresh(self) -> AsyncDeletion:
        """The deletion as it is now."""
        return await self._client.deletion(self.id)

    async def wait(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        on_progress: Callable[[AsyncDeletion], None] | None = None,
    ) -> AsyncDeletion:
        """Wait until the deletion is complete; returns it.

        ``timeout`` is in seconds. An erasure takes a minute or more: it is complete when a last
        read finds nothing left. Raises ``WaitTimeout``, and ``DeletionFailed``.
        """
        pauses, deletion = Pauses(timeout), self
        while True:
            if on_progress is not None:
                on_progress(deletion)
            if deletion.state == "failed":
                raise DeletionFailed(
                    deletion.failure or "The deletion failed; nothing was deleted",
                    deletion_id=self.id,
                )
            if not deletion.is_open:
                return deletion
            pause = pauses.next()
            if pause is None:
                raise WaitTimeout(
                    f"The deletion {self.id} continues; it is {deletion.state}", deletion_id=self.id
                )
            await asyncio.sleep(pause)
            deletion = await deletion.refresh()

    async def outcomes(self) -> AsyncIterator[DeletionResult]:
        """The outcome of each id, in the order of the request."""
        page: DeletionRecord = self
        while True:
            for result in page.results:
                yield result
            if page.next_cursor is None:
                return
            page = await self._client.deletion_page(self.id, cursor=page.next_cursor)

    async def restore(
        self,
        *,
        ids: Sequence[str] | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> RestoredLinks:
        """Restore soft-deleted links: all, or those of ``ids``. Needs ``linksRestore``."""
        return await self._client.restore(
            self.id, ids=ids, reason=reason, idempotency_key=idempotency_key
        )
