"""Deletions, previews and restores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from unlink_client.calls import (
    Call,
    json_of,
    segment,
)
from unlink_client.decoding import decode
from unlink_client.filters import FilterArgs, filter_json
from unlink_client.models import (
    DeletedLinks,
    DeletionPage,
    DeletionRecord,
    ErasedLinks,
    Mode,
    Preview,
    RestoredLinks,
    State,
    TrashPage,
)
from unlink_client.operations.common import query_of, reader


def delete_links(
    ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[DeletedLinks]:
    """``DELETE /api/links``: soft-deletes up to 10,000 links, all or none."""
    return Call(
        method="DELETE",
        path="/api/links",
        query=query_of(reason=reason),
        body=list(ids),
        idempotency_key=idempotency_key,
        read=lambda response: decode(
            DeletedLinks, json_of(response), _deletion_id=response.headers.get("x-deletion-id")
        ),
    )


def delete_link(
    id: str,
    *,
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> Call[str | None]:
    """``DELETE /api/links/{id}``: erases one live link; the id of the deletion's record."""
    return Call(
        method="DELETE",
        path=f"/api/links/{segment(id)}",
        query=query_of(reason=reason),
        idempotency_key=idempotency_key,
        read=lambda response: response.headers.get("x-deletion-id"),
    )


def bulk_delete_links(
    ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[ErasedLinks]:
    """``POST /api/links/bulk-delete``: erases each of the links that exists."""
    return Call(
        method="POST",
        path="/api/links/bulk-delete",
        query=query_of(reason=reason),
        body={"ids": list(ids)},
        idempotency_key=idempotency_key,
        read=lambda response: decode(
            ErasedLinks, json_of(response), _deletion_id=response.headers.get("x-deletion-id")
        ),
    )


def create_deletion(
    *,
    ids: Sequence[str] | None = None,
    filter: FilterArgs | None = None,
    mode: Mode = "soft",
    reason: str | None = None,
    export: bool = False,
    confirmation_token: str | None = None,
    idempotency_key: str | None = None,
) -> Call[DeletionRecord]:
    """``POST /api/deletions`` by ids or by filter."""
    body = _deletion_json(ids, filter, mode)
    if reason is not None:
        body["reason"] = reason
    if export:
        body["export"] = True
    if confirmation_token is not None:
        body["confirmationToken"] = confirmation_token
    return Call(
        method="POST",
        path="/api/deletions",
        body=body,
        idempotency_key=idempotency_key,
        read=reader(DeletionRecord),
    )


def preview_deletion(
    *,
    ids: Sequence[str] | None = None,
    filter: FilterArgs | None = None,
    mode: Mode = "soft",
) -> Call[Preview]:
    """``POST /api/deletions`` with ``dryRun``: what would be deleted. Nothing is written."""
    return Call(
        method="POST",
        path="/api/deletions",
        body=_deletion_json(ids, filter, mode) | {"dryRun": True},
        read=reader(Preview),
    )


def _deletion_json(
    ids: Sequence[str] | None, conditions: FilterArgs | None, mode: Mode
) -> dict[str, Any]:
    if (ids is None) is (conditions is None):
        raise ValueError("Give either ids or a filter")
    if conditions is None:
        return {"ids": list(ids or ()), "mode": mode}
    return {"filter": filter_json(conditions), "mode": mode}


def list_deletions(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    state: State | None = None,
    mode: Mode | None = None,
    actor: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Call[DeletionPage]:
    """``GET /api/deletions``: one page of 1 to 100 deletions, newest first."""
    return Call(
        method="GET",
        path="/api/deletions",
        query=query_of(
            limit=limit,
            cursor=cursor,
            state=state,
            mode=mode,
            actor=actor,
            created_after=created_after,
            created_before=created_before,
        ),
        read=reader(DeletionPage),
    )


def list_trash(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    actor: str | None = None,
    deleted_after: datetime | None = None,
    deleted_before: datetime | None = None,
) -> Call[TrashPage]:
    """``GET /api/trash``: one page of 1 to 100 soft-deleted links, newest deletion first."""
    return Call(
        method="GET",
        path="/api/trash",
        query=query_of(
            limit=limit,
            cursor=cursor,
            actor=actor,
            deleted_after=deleted_after,
            deleted_before=deleted_before,
        ),
        read=reader(TrashPage),
    )


def get_deletion(
    id: str,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[DeletionRecord]:
    """``GET /api/deletions/{id}`` with a page of 1 to 1,000 outcomes."""
    return Call(
        method="GET",
        path=f"/api/deletions/{segment(id)}",
        query=query_of(limit=limit, cursor=cursor),
        read=reader(DeletionRecord),
    )


def restore_deletion(
    id: str,
    *,
    ids: Sequence[str] | None = None,
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> Call[RestoredLinks]:
    """``POST /api/deletions/{id}/restore``: all links of a soft deletion, or some."""
    body: dict[str, Any] = {}
    if ids is not None:
        body["ids"] = list(ids)
    if reason is not None:
        body["reason"] = reason
    return Call(
        method="POST",
        path=f"/api/deletions/{segment(id)}/restore",
        body=body,
        idempotency_key=idempotency_key,
        read=reader(RestoredLinks),
    )
