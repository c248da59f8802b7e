# Generated from unlink_client/aio by generate_sync.py: change that.

"""Links: create, list, read, change, count."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal, Unpack

from unlink_client import operations
from unlink_client.calls import UNSET, Unset
from unlink_client.errors import InvalidRequest, UnlinkError, WaitTimeout
from unlink_client.filters import FilterArgs
from unlink_client.models import (
    Analytics,
    Export,
    Install,
    Link,
    LinkPage,
    NewLink,
    UtmParameters,
    WrittenLink,
)
from unlink_client.retries import Pauses
from unlink_client.sync.transport import Transport

#: Links in one page, and in one create: the API's limits.
PAGE = 1_000
MAX_CREATE = 1_000


class Links(Transport):
    """The part of the client that concerns links. ``id`` is a link's UUID or its short code."""

    def create(self, link: NewLink | str, *, idempotency_key: str | None = None) -> Link:
        """Create a link, from its destination or with every field.

        Raises ``CodeTaken`` if another link has the short code.
        """
        new = NewLink(original_url=link) if isinstance(link, str) else link
        return self.send(operations.create_link(new, idempotency_key=idempotency_key))

    def create_many(
        self, links: Sequence[NewLink], *, idempotency_key: str | None = None
    ) -> tuple[Link, ...]:
        """Create up to 1,000 links, all or none; returns them in the same order."""
        return self.send(operations.create_links(links, idempotency_key=idempotency_key))

    def create_all(self, links: Iterable[NewLink]) -> Iterator[Link]:
        """Create any number of links: 1,000 a request, or as many as the workspace's plan allows.

        Each request is all or none.
        """
        more, waiting, size = iter(links), list[NewLink](), MAX_CREATE
        while waiting := waiting + list(islice(more, max(0, size - len(waiting)))):
            part = waiting[:size]
            try:
                created = self.create_many(part)
            except InvalidRequest as error:
                if not error.limit or error.limit >= len(part):
                    raise
                size = error.limit
                continue
            waiting = waiting[len(part) :]
            for link in created:
                yield link

    def links(self, *, page_size: int = PAGE, **conditions: Unpack[FilterArgs]) -> Iterator[Link]:
        """Every live link that meets the conditions, newest first."""
        for page in self._pages(
            lambda cursor: operations.list_links(conditions, limit=page_size, cursor=cursor)
        ):
            for link in page.links:
                yield link

    def link_page(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        **conditions: Unpack[FilterArgs],
    ) -> LinkPage:
        """One page of live links, for a caller that stores the cursor itself."""
        return self.send(operations.list_links(conditions, limit=limit, cursor=cursor))

    def link(self, id: str) -> Link:
        """A live link; raises ``NotFound``."""
        return self.send(operations.get_link(id))

    def update(
        self,
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
    ) -> Link | WrittenLink:
        """Change the given fields; None clears a field. A key without ``linksRead`` gets a
        ``WrittenLink``: the fields that it sent.
        """
        return self.send(
            operations.update_link(
                id,
                original_url=original_url,
                title=title,
                description=description,
                tags=tags,
                ios_url=ios_url,
                android_url=android_url,
                web_fallback_url=web_fallback_url,
                utm_parameters=utm_parameters,
                external_id=external_id,
                expires_at=expires_at,
                forward_query=forward_query,
                is_active=is_active,
            )
        )

    def qr(
        self,
        id: str,
        *,
        format: Literal["png", "svg"] | None = None,
        size: int | None = None,
        color: str | None = None,
        bgcolor: str | None = None,
    ) -> bytes:
        """The QR code of a link's short URL as an image; ``size`` is 128 to 2048 pixels."""
        return self.send(
            operations.get_link_qr(id, format=format, size=size, color=color, bgcolor=bgcolor)
        )

    def analytics(self, id: str, *, days: int | None = None) -> Analytics:
        """The counts of a link in the last ``days`` days in UTC (1 to 365, 30 by default).

        Also for soft-deleted links.
        """
        return self.send(operations.get_analytics(id, days=days))

    def start_export(
        self,
        id: str,
        *,
        idempotency_key: str | None = None,
    ) -> Export:
        """Start an export of a link and its clicks; returns the unfinished one if there is one."""
        return self.send(operations.create_export(id, idempotency_key=idempotency_key))

    def export(self, id: str, export_id: str) -> Export:
        """The state of an export; it has a ``url`` when it is complete."""
        return self.send(operations.get_export(id, export_id))

    def wait_for_export(
        self,
        id: str,
        export_id: str,
        *,
        timeout: float | None = None,
    ) -> Export:
        """The complete export; raises ``WaitTimeout``, or ``UnlinkError`` if it failed."""
        pauses = Pauses(timeout)
        while True:
            export = self.export(id, export_id)
            if export.state == "complete":
                return export
            if export.state == "failed":
                raise UnlinkError(export.failure or "The export failed")
            pause = pauses.next()
            if pause is None:
                raise WaitTimeout(f"The export {export_id} is not complete yet")
            time.sleep(pause)

    def record_install(
        self,
        *,
        link_id: str | None = None,
        click_id: str | None = None,
        platform: Literal["iOS", "Android", "other"] | None = None,
        device_id: str | None = None,
        app_version: str | None = None,
        installed_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Install:
        """Record an app install of a link (id or short code) or a click."""
        return self.send(
            operations.create_install(
                link_id=link_id,
                click_id=click_id,
                platform=platform,
                device_id=device_id,
                app_version=app_version,
                installed_at=installed_at,
                idempotency_key=idempotency_key,
            )
        )
