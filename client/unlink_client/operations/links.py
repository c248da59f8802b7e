"""Links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from unlink_client.calls import (
    UNSET,
    Call,
    Response,
    Unset,
    json_of,
    segment,
    to_json,
)
from unlink_client.decoding import camel, decode
from unlink_client.errors import UnexpectedResponse
from unlink_client.filters import FilterArgs, filter_query
from unlink_client.models import (
    Link,
    LinkPage,
    NewLink,
    UtmParameters,
    WrittenLink,
)
from unlink_client.operations.common import query_of, reader


def _new_link_json(link: NewLink) -> dict[str, Any]:
    """Without default values, which the service has too."""
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
        idempotency_key=idempotency_key,
        read=reader(Link),
    )


def create_links(
    links: Sequence[NewLink], *, idempotency_key: str | None = None
) -> Call[tuple[Link, ...]]:
    """``POST /api/links`` with 1 to 1,000 links, all or none."""

    def read(response: Response) -> tuple[Link, ...]:
        found = json_of(response)
        if not isinstance(found, list):
            raise UnexpectedResponse("The created links are not an array")
        return tuple(decode(Link, each) for each in found)

    return Call(
        method="POST",
        path="/api/links",
        body=[_new_link_json(each) for each in links],
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
        query=filter_query(conditions) | query_of(limit=limit, cursor=cursor),
        read=reader(LinkPage),
    )


def get_link(id: str) -> Call[Link]:
    """``GET /api/links/{id}``."""
    return Call(method="GET", path=f"/api/links/{segment(id)}", read=reader(Link))


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
    """``PUT /api/links/{id}``: changes the given fields, None clears."""
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

    def read(response: Response) -> Link | WrittenLink:
        value = json_of(response)
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
        query=query_of(format=format, size=size, color=color, bgcolor=bgcolor),
        read=lambda response: response.body,
    )
