"""Links as responses show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from functions.domain.link import Link

if TYPE_CHECKING:
    from functions.schemas import link_responses


def link_view(link: Link, base_url: str) -> link_responses.Link:
    """A link as the API shows it; a field that the link does not have is null."""
    return {
        "id": link.id,
        "workspaceId": link.workspace_id,
        "userId": link.user_id,
        "shortCode": link.short_code,
        "shortUrl": f"{base_url}/{link.short_code}",
        "originalUrl": link.original_url,
        "title": link.title,
        "description": link.description,
        "tags": list(link.tags),
        "iosUrl": link.ios_url,
        "androidUrl": link.android_url,
        "webFallbackUrl": link.web_fallback_url,
        "utmParameters": cast("link_responses.UtmValues | None", link.utm_parameters),
        "externalId": link.external_id,
        "expiresAt": link.expires_at,
        "forwardQuery": link.forward_query,
        "isActive": link.is_active,
        "clickCount": link.click_count,
        "createdAt": link.created_at,
        "updatedAt": link.updated_at,
    }


def written_view(view: link_responses.Link, changed: Iterable[str]) -> link_responses.WrittenLink:
    """The part of a link that a request changed; ``changed`` are names of a link's fields."""
    fields: dict[str, Any] = {**view}
    return cast(
        "link_responses.WrittenLink", {name: fields[name] for name in ("id", *changed, "updatedAt")}
    )
