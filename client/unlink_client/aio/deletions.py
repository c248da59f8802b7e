"""Deletions: plan, delete, erase, watch, restore."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Unpack

from unlink_client import operations
from unlink_client.aio.deletion import AsyncDeletion
from unlink_client.aio.links import AsyncLinks
from unlink_client.calls import Call
from unlink_client.errors import InvalidRequest, PlanIsInvalid, PlanIsStale, StillRunning
from unlink_client.filters import FilterArgs
from unlink_client.models import (
    DeletedLinks,
    DeletionRecord,
    DeletionSummary,
    ErasedLinks,
    Mode,
    Preview,
    RestoredLinks,
    State,
    TrashedLink,
)
from unlink_client.plans import Plan, plan_of

#: Ids in one request: the API's limit. A workspace's plan may allow fewer.
MAX_IDS = 10_000


def _mode(erase: bool) -> Mode:
    return "erase" if erase else "soft"


class AsyncDeletions(AsyncLinks):
    """The part of the client that concerns deletions."""

    async def preview(self, ids: Sequence[str], *, erase: bool = False) -> Preview:
        """What deleting these ids would do. Nothing is written."""
        return await self.send(operations.preview_deletion(ids=ids, mode=_mode(erase)))

    async def plan(
        self, *, erase: bool = False, with_ids: bool = False, **conditions: Unpack[FilterArgs]
    ) -> Plan:
        """Plan a delete by filter, to be applied within an hour. Nothing is written.

        ``with_ids`` also lists the links, so that a stale plan can say what changed.
        """
        preview = await self.send(operations.preview_deletion(filter=conditions, mode=_mode(erase)))
        ids: tuple[str, ...] | None = None
        if with_ids:
            ids = tuple([link.id async for link in self.links(**conditions)])
        return plan_of(preview, conditions, self.url, ids)

    async def apply(
        self,
        plan: Plan,
        *,
        reason: str | None = None,
        export: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncDeletion:
        """Delete exactly the links of a plan, or nothing. Applying a plan twice deletes once.

        ``export`` first writes links and clicks to a file; it needs ``analyticsRead``. Raises
        ``PlanIsStale`` if other links match by now or the hour has passed, and ``PlanIsInvalid``
        for a plan of another service or workspace.
        """
        if plan.url != self.url:
            raise PlanIsInvalid(f"The plan is for {plan.url}, not for {self.url}")
        call = operations.create_deletion(
            filter=plan.conditions,
            mode=plan.mode,
            reason=reason,
            export=export,
            confirmation_token=plan.token,
            idempotency_key=idempotency_key or plan.idempotency_key,
        )
        try:
            return await self._begin(call)
        except InvalidRequest as error:
            raise _plan_error(error) from error

    async def delete(
        self,
        ids: Sequence[str],
        *,
        erase: bool = False,
        reason: str | None = None,
        export: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncDeletion:
        """Delete up to 10,000 links by UUID: softly all or none, or erase each that exists.

        Raises ``InvalidIds`` if a soft delete has an id that is not a live link.
        """
        return await self._begin(
            operations.create_deletion(
                ids=ids,
                mode=_mode(erase),
                reason=reason,
                export=export,
                idempotency_key=idempotency_key,
            )
        )

    async def delete_all(
        self,
        ids: Iterable[str],
        *,
        erase: bool = False,
        reason: str | None = None,
        chunk: int = MAX_IDS,
    ) -> AsyncIterator[AsyncDeletion]:
        """Delete any number of links: one deletion for each ``chunk`` ids.

        Each soft deletion is all or none. The chunks are smaller if the workspace's plan allows
        fewer ids.
        """
        # An id that is given twice would be unknown to the second chunk.
        waiting = list(dict.fromkeys(ids))
        while waiting:
            part = waiting[:chunk]
            try:
                deletion = await self.delete(part, erase=erase, reason=reason)
            except InvalidRequest as error:
                if not error.limit or error.limit >= len(part):
                    raise
                chunk = error.limit
                continue
            waiting = waiting[len(part) :]
            yield deletion

    async def delete_matching(
        self,
        *,
        erase: bool = False,
        reason: str | None = None,
        export: bool = False,
        idempotency_key: str | None = None,
        **conditions: Unpack[FilterArgs],
    ) -> AsyncDeletion:
        """Delete what a filter matches, without a preview. :meth:`plan` and :meth:`apply` show it
        first.
        """
        return await self._begin(
            operations.create_deletion(
                filter=conditions,
                mode=_mode(erase),
                reason=reason,
                export=export,
                idempotency_key=idempotency_key,
            )
        )

    async def delete_links(
        self, ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
    ) -> DeletedLinks:
        """Soft-delete up to 10,000 links by ``DELETE /api/links``, all or none."""
        return await self.send(
            operations.delete_links(ids, reason=reason, idempotency_key=idempotency_key)
        )

    async def erase_link(
        self,
        id: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> str | None:
        """Erase one live link by UUID or short code; the id of the deletion's record."""
        return await self.send(
            operations.delete_link(id, reason=reason, idempotency_key=idempotency_key)
        )

    async def erase_links(
        self, ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
    ) -> ErasedLinks:
        """Erase up to 10,000 links by ``POST /api/links/bulk-delete``, each that exists."""
        return await self.send(
            operations.bulk_delete_links(ids, reason=reason, idempotency_key=idempotency_key)
        )

    async def deletions(
        self,
        *,
        page_size: int = 100,
        state: State | None = None,
        mode: Mode | None = None,
        actor: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> AsyncIterator[DeletionSummary]:
        """The workspace's deletions, newest first: its audit trail.

        ``actor`` is the exact id of a key or user, or a service; the times are exclusive.
        """
        async for page in self._pages(
            lambda cursor: operations.list_deletions(
                limit=page_size,
                cursor=cursor,
                state=state,
                mode=mode,
                actor=actor,
                created_after=created_after,
                created_before=created_before,
            )
        ):
            for deletion in page.deletions:
                yield deletion

    async def trash(
        self,
        *,
        page_size: int = 100,
        actor: str | None = None,
        deleted_after: datetime | None = None,
        deleted_before: datetime | None = None,
    ) -> AsyncIterator[TrashedLink]:
        """The soft-deleted links, newest deletion first."""
        async for page in self._pages(
            lambda cursor: operations.list_trash(
                limit=page_size,
                cursor=cursor,
                actor=actor,
                deleted_after=deleted_after,
                deleted_before=deleted_before,
            )
        ):
            for link in page.links:
                yield link

    async def deletion(self, id: str) -> AsyncDeletion:
        """A deletion with its first outcomes; raises ``NotFound``."""
        return AsyncDeletion.of(await self.send(operations.get_deletion(id)), self)

    async def deletion_page(
        self,
        id: str,
        *,
        limit: int = 1_000,
        cursor: str | None = None,
    ) -> DeletionRecord:
        """A deletion with one page of its outcomes."""
        return await self.send(operations.get_deletion(id, limit=limit, cursor=cursor))

    async def restore(
        self,
        id: str,
        *,
        ids: Sequence[str] | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> RestoredLinks:
        """Restore the soft-deleted links of a deletion: all, or those of ``ids``."""
        return await self.send(
            operations.restore_deletion(id, ids=ids, reason=reason, idempotency_key=idempotency_key)
        )

    async def _begin(self, call: Call[DeletionRecord]) -> AsyncDeletion:
        try:
            return AsyncDeletion.of(await self.send(call), self)
        except StillRunning as error:
            # The same request was accepted before and is still running: return its record.
            if error.deletion_id is None:
                raise
            return await self.deletion(error.deletion_id)


def _plan_error(error: InvalidRequest) -> Exception:
    """The error that a refused confirmation token means."""
    message = str(error)
    if "has expired" in message:
        return PlanIsStale(
            "The plan has expired; make a new one",
            status=error.status,
            request_id=error.request_id,
        )
    if "confirmationToken" in message:
        return PlanIsInvalid(
            "The plan is not of this workspace, or its token was changed. Make a new one."
        )
    return error
