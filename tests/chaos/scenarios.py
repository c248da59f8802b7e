"""Directed load: each scenario repeats one dangerous situation many times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from tests.chaos.client import Client
from tests.chaos.history import Operation
from tests.chaos.load import Visitor
from tests.chaos.pool import KnownLink

#: Seconds of the erase queue's delay. Writers of a scenario end sooner, even the late ones.
ERASE_DELAY = 9
#: Seconds that a stale read of a scenario may be behind.
STALE_SECONDS = 0.5


class Scenario(Visitor):
    """Repeats :meth:`once`; every request is sent once, without client faults."""

    #: Seconds for which the faults continue after the last request.
    linger = 0.0

    def act(self) -> None:
        """``most`` times."""
        for _ in range(self.most):
            if self.over:
                break
            self.once()
        time.sleep(self.linger)

    def once(self) -> None:
        """One attempt at the situation."""
        raise NotImplementedError

    def new_links(self, number: int) -> list[KnownLink]:
        """New links."""
        created = self.create(number)
        response = created.response if created.status == 201 else []
        return [self.pool.by_id[each["id"]] for each in response]

    def delete_softly(self, links: list[KnownLink]) -> Operation:
        """Without an Idempotency-Key."""
        ids, token = [each.id for each in links], self.new_token()
        path = f"/api/links?reason={quote(token)}"
        deleted = self.send("soft", "DELETE", path, ids, token=token, ids=ids)
        self.soft_deleted(deleted, ids)
        return deleted

    def erase(self, link: KnownLink) -> None:
        """Without an Idempotency-Key."""
        token = self.new_token()
        path = f"/api/links/{link.id}?reason={quote(token)}"
        self.erased(self.send("erase one", "DELETE", path, token=token, ids=[link.id]), [link.id])

    def in_parallel(self, act: Callable[[Client], Any]) -> threading.Thread:
        """Run ``act`` in another thread with a separate connection."""

        def run() -> None:
            client = Client(self.site.base_url, self.tenant.id, self.site.history)
            act(client)
            client.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def visit_with(self, client: Client, link: KnownLink) -> None:
        """One visit."""
        client.send("redirect", self.new_token(), "GET", f"/{link.code}", code=link.code)


class RestoreAtOnce(Scenario):
    """A delete is answered and restored; a late call of the delete comes after the restore."""

    def once(self) -> None:
        links = self.new_links(1)
        deleted = self.delete_softly(links)
        if deleted.status == 200 and deleted.deletion_id is not None:
            ids = [each.id for each in links]
            self.bring_back(deleted.deletion_id, ids, self.tenant.workspace.admin_key)


class ExportThenErase(Scenario):
    """An erasure that writes an export first, by workers that overlap."""

    # The response comes before the work.
    linger = 12.0

    def once(self) -> None:
        ids, token = [each.id for each in self.new_links(2)], self.new_token()
        body = {"ids": ids, "mode": "erase", "export": True, "reason": token}
        self.erased(self.send("erase", "POST", "/api/deletions", body, token=token, ids=ids), ids)


class RepeatAtOnce(Scenario):
    """One create, twice at the same time with the same Idempotency-Key."""

    def once(self) -> None:
        token = self.new_token()
        body = self.new_bodies(token, 2)
        given: dict[str, Any] = {"api_key": self.tenant.workspace.api_key, "key": token}

        def create(client: Client) -> Operation:
            return client.send("create", token, "POST", "/api/links", body, **given)

        other = self.in_parallel(create)
        self.pool.created(create(self.client))
        other.join()


class VisitAfterDelete(Scenario):
    """Visits right before and right after a delete."""

    def once(self) -> None:
        links = self.new_links(2)
        # A stale read from before they were created finds no link to redirect to.
        time.sleep(STALE_SECONDS)
        for link in links:
            self.visit_with(self.client, link)
            self.delete_softly([link])
            for _ in range(3):
                self.visit_with(self.client, link)


class VisitDuringErasure(Scenario):
    """A link is erased while a visit of it is about to record its click."""

    def once(self) -> None:
        for link in self.new_links(1):
            visits = [self.in_parallel(partial(self.visit_with, link=link)) for _ in range(2)]
            time.sleep(0.3)
            self.erase(link)
            for visit in visits:
                visit.join()


class UpdateDuringErasure(Scenario):
    """A link is erased between an update's read and its write."""

    def once(self) -> None:
        for link in self.new_links(1):
            update = self.in_parallel(partial(self.retitle_with, link=link, token=self.new_token()))
            time.sleep(self.chance.uniform(0, 0.5))
            self.erase(link)
            update.join()

    def retitle_with(self, client: Client, *, link: KnownLink, token: str) -> None:
        """One update."""
        path, api_key = f"/api/links/{link.id}", self.tenant.workspace.api_key
        client.send("update", token, "PUT", path, {"title": token}, api_key=api_key)


class EraseClicks(Scenario):
    """Several workers count the clicks of one erased link."""

    # The queue delivers, and the faults repeat, only after its delay.
    linger = ERASE_DELAY + 4.0

    def once(self) -> None:
        for link in self.new_links(1):
            for _ in range(3):
                self.visit_with(self.client, link)
            self.erase(link)
