"""One function for each operation of the API: its arguments as a :class:`~.calls.Call`.

The names and arguments are those of the OpenAPI document in snake case; a test compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from unlink_client.calls import (
    UNSET,
    Answer,
    Call,
    Unset,
    json_of,
    segment,
    to_json,
)
from unlink_client.decoding import camel, decode
from unlink_client.errors import UnexpectedAnswer
from unlink_client.filters import FilterArgs, filter_json, filter_query, query_text
from unlink_client.models import (
    Analytics,
    DeletedLinks,
    DeletionPage,
    DeletionRecord,
    ErasedLinks,
    Export,
    Install,
    Link,
    LinkPage,
    Mode,
    NewLink,
    Preview,
    RestoredLinks,
    UtmParameters,
    WrittenLink,
)

T = TypeVar("T")


def _reader(kind: type[T]) -> Callable[[Answer], T]:
    return lambda answer: decode(kind, json_of(answer))


def _query(**values: object) -> dict[str, str]:
    return {camel(name): query_text(value) for name, value in values.items() if value is not None}


# -- links ------------------------------------------------------------------------------------


def _new_link_json(link: NewLink) -> dict[str, Any]:
    """Without what is the default, which the service has too."""
    body: dict[str, Any] = {}
    for each in fields(NewLink):
        value = getattr(link, each.name)
        if each.name == "original_url" or value != each.default:
            body[camel(each.name)] = _given(value)
    return body


def _given(value: Any) -> Any:
    """As :func:`~.calls.to_json`; the fields of an object that are None are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: each for name, each in to_json(value).items() if each is not None}
    return to_json(value)


def create_link(link: NewLink, *, idempotency_key: str | None = None) -> Call[Link]:
    """``POST /api/links`` with one link."""
    return Call(
        method="POST",
        path="/api/links",
        body=_new_link_json(link),
        idempotent=True,
        idempotency_key=idempotency_key,
        read=_reader(Link),
    )


def create_links(
    links: Sequence[NewLink], *, idempotency_key: str | None = None
) -> Call[tuple[Link, ...]]:
    """``POST /api/links`` with 1 to 1,000 links, all or none."""

    def read(answer: Answer) -> tuple[Link, ...]:
        found = json_of(answer)
        if not isinstance(found, list):
            raise UnexpectedAnswer("The created links are not an array")
        return tuple(decode(Link, each) for each in found)

    return Call(
        method="POST",
        path="/api/links",
        body=[_new_link_json(each) for each in links],
        idempotent=True,
        idempotency_key=idempotency_key,
        read=read,
    )


def list_links(
    conditions: FilterArgs, *, limit: int | None = None, cursor: str | None = None
) -> Call[LinkPage]:
    """``GET /api/links``: one page of 1 to 1,000 links."""
    return Call(
        method="GET",
        path="/api/links",
        query=filter_query(conditions) | _query(limit=limit, cursor=cursor),
        read=_reader(LinkPage),
    )


def get_link(id: str) -> Call[Link]:
    """``GET /api/links/{id}``."""
    return Call(method="GET", path=f"/api/links/{segment(id)}", read=_reader(Link))


def update_link(
    id: str,
    *,
    original_url: str | Unset = UNSET,
    title: str | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    tags: Sequence[str] | Unset | None = UNSET,
    ios_url: str | Unset | None = UNSET,
    android_url: str | Unset | None = UNSET,
    web_fallback_url: str | Unset | None = UNSET,
    utm_parameters: UtmParameters | Unset | None = UNSET,
    external_id: str | Unset | None = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    forward_query: bool | Unset = UNSET,
    is_active: bool | Unset = UNSET,
) -> Call[Link | WrittenLink]:
    """``PUT /api/links/{id}``: what is given changes, None clears."""
    given = {
        "original_url": original_url,
        "title": title,
        "description": description,
        "tags": tags,
        "ios_url": ios_url,
        "android_url": android_url,
        "web_fallback_url": web_fallback_url,
        "utm_parameters": utm_parameters,
        "external_id": external_id,
        "expires_at": expires_at,
        "forward_query": forward_query,
        "is_active": is_active,
    }

    def read(answer: Answer) -> Link | WrittenLink:
        value = json_of(answer)
        # A key without `linksRead` gets back the fields that it sent, not the whole link.
        whole = isinstance(value, dict) and "shortCode" in value
        return decode(Link, value) if whole else decode(WrittenLink, value)

    return Call(
        method="PUT",
        path=f"/api/links/{segment(id)}",
        body={camel(name): _given(value) for name, value in given.items() if value is not UNSET},
        read=read,
    )


def get_link_qr(
    id: str,
    *,
    format: Literal["png", "svg"] | None = None,
    size: int | None = None,
    color: str | None = None,
    bgcolor: str | None = None,
) -> Call[bytes]:
    """``GET /api/links/{id}/qr``: the image."""
    return Call(
        method="GET",
        path=f"/api/links/{segment(id)}/qr",
        query=_query(format=format, size=size, color=color, bgcolor=bgcolor),
        read=lambda answer: answer.body,
    )


# -- analytics --------------------------------------------------------------------------------


def get_analytics(id: str, *, days: int | None = None) -> Call[Analytics]:
    """``GET /api/analytics/links/{id}``, also for soft-deleted links."""
    return Call(
        method="GET",
        path=f"/api/analytics/links/{segment(id)}",
        query=_query(days=days),
        read=_reader(Analytics),
    )


def create_export(id: str, *, idempotency_key: str | None = None) -> Call[Export]:
    """``POST /api/analytics/links/{id}/export``: begins an export, or names the unfinished one."""
    return Call(
        method="POST",
        path=f"/api/analytics/links/{segment(id)}/export",
        body={},
        idempotent=True,
        idempotency_key=idempotency_key,
        read=_reader(Export),
    )


def get_export(id: str, export_id: str) -> Call[Export]:
    """``GET /api/analytics/links/{id}/export/{exportId}``."""
    return Call(
        method="GET",
        path=f"/api/analytics/links/{segment(id)}/export/{segment(export_id)}",
        read=_reader(Export),
    )


def create_install(
    *,
    link_id: str | None = None,
    click_id: str | None = None,
    platform: Literal["iOS", "Android", "other"] | None = None,
    device_id: str | None = None,
    app_version: str | None = None,
    installed_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[Install]:
    """``POST /api/installs``: an install of a link's or a click's app."""
    given = {
        "linkId": link_id,
        "clickId": click_id,
        "platform": platform,
        "deviceId": device_id,
        "appVersion": app_version,
        "installedAt": to_json(installed_at),
    }
    return Call(
        method="POST",
        path="/api/installs",
        body={name: value for name, value in given.items() if value is not None},
        idempotent=True,
        idempotency_key=idempotency_key,
        read=_reader(Install),
    )


# -- deletions --------------------------------------------------------------------------------


def delete_links(
    ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[DeletedLinks]:
    """``DELETE /api/links``: soft-deletes up to 10,000 links, all or none."""
    return Call(
        method="DELETE",
        path="/api/links",
        query=_query(reason=reason),
        body=list(ids),
        idempotent=True,
        idempotency_key=idempotency_key,
        read=lambda answer: decode(
            DeletedLinks, json_of(answer), _deletion_id=answer.headers.get("x-deletion-id")
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
        query=_query(reason=reason),
        idempotent=True,
        idempotency_key=idempotency_key,
        read=lambda answer: answer.headers.get("x-deletion-id"),
    )


def bulk_delete_links(
    ids: Sequence[str], *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[ErasedLinks]:
    """``POST /api/links/bulk-delete``: erases each of the links that exists."""
    return Call(
        method="POST",
        path="/api/links/bulk-delete",
        query=_query(reason=reason),
        body={"ids": list(ids)},
        idempotent=True,
        idempotency_key=idempotency_key,
        read=lambda answer: decode(
            ErasedLinks, json_of(answer), _deletion_id=answer.headers.get("x-deletion-id")
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
        idempotent=True,
        idempotency_key=idempotency_key,
        read=_reader(DeletionRecord),
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
        idempotent=True,
        read=_reader(Preview),
    )


def _deletion_json(
    ids: Sequence[str] | None, conditions: FilterArgs | None, mode: Mode
) -> dict[str, Any]:
    if (ids is None) is (conditions is None):
        raise ValueError("Give either ids or a filter")
    if conditions is None:
        return {"ids": list(ids or ()), "mode": mode}
    return {"filter": filter_json(conditions), "mode": mode}


def list_deletions(*, limit: int | None = None, cursor: str | None = None) -> Call[DeletionPage]:
    """``GET /api/deletions``: one page of 1 to 100 deletions, newest first."""
    return Call(
        method="GET",
        path="/api/deletions",
        query=_query(limit=limit, cursor=cursor),
        read=_reader(DeletionPage),
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
        query=_query(limit=limit, cursor=cursor),
        read=_reader(DeletionRecord),
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
        idempotent=True,
        idempotency_key=idempotency_key,
        read=_reader(RestoredLinks),
    )


# -- the service itself -----------------------------------------------------------------------


def get_open_api() -> Call[dict[str, Any]]:
    """``GET /api/openapi.json``: the document of the API. No key is sent."""
    return Call(method="GET", path="/api/openapi.json", needs_key=False, read=_object)


def _object(answer: Answer) -> dict[str, Any]:
    value = json_of(answer)
    if not isinstance(value, dict):
        raise UnexpectedAnswer("The answer is not an object")
    return value
