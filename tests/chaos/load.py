"""The load of the workspaces' clients: a mix of every operation, chosen by a seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.chaos.history import Operation
from tests.chaos.link_events import first_title
from tests.chaos.requests import url_of
from tests.chaos.sender import Sender

#: Links of one create of a batch.
CREATE_SIZE = 500
#: Links that a batch erases in the end; each is much more work than a soft delete.
ERASE_SIZE = 1_000


class Visitor(Sender):
    """One client that uses every operation."""

    def act(self) -> None:
        """Choose operations by their weights."""
        actions, weights = zip(*self.mix(), strict=True)
        for _ in range(self.most):
            if self.over:
                return
            self.chance.choices(actions, weights)[0]()
            time.sleep(self.pause)

    def mix(self) -> list[tuple[Callable[[], Any], int]]:
        """The operations with their weights."""
        return [
            (self.create, 14),
            (self.update, 9),
            (self.get, 6),
            (self.browse, 3),
            (self.visit, 16),
            (self.qr, 2),
            (self.install, 3),
            (self.export, 2),
            (self.soft_delete, 12),
            (self.erase_one, 8),
            (self.erase_many, 6),
            (self.delete_by_filter, 4),
            (self.restore, 10),
            (self.undo, 3),
            (self.another_tenant, 4),
        ]

    # -- create and read --------------------------------------------------------------------

    def create(self, count: int | None = None) -> Operation:
        """One link, or an array; sometimes with the code of an erased link."""
        token = self.new_token()
        single = count is None and self.chance.random() < 0.5
        number = 1 if single else count or self.chance.randint(2, 12)
        links = self.new_bodies(token, number)
        freed = self.pool.a_free_code() if self.chance.random() < 0.2 else None
        if freed is not None:
            self.site.watcher.forget([freed])
            links[0]["shortCode"] = freed
        body = links[0] if single else links
        operation = self.send("create", "POST", "/api/links", body, token=token, keyed=True)
        self.pool.created(operation)
        return operation

    def new_bodies(self, token: str, number: int) -> list[dict[str, Any]]:
        """The entries of a create; a few creates have the same tag."""
        tag = f"{self.name}-t{self.tokens // 4}"
        return [
            {
                "originalUrl": url_of(self.tenant.id, token, each),
                "title": first_title(token, each),
                "tags": [tag],
            }
            for each in range(number)
        ]

    def update(self) -> None:
        """A new title."""
        for link in self.pool.some(self.chance, 1):
            token = self.new_token()
            self.send("update", "PUT", f"/api/links/{link.id}", {"title": token}, token=token)

    def get(self) -> None:
        for link in self.pool.some(self.chance, 1):
            self.send("get", "GET", f"/api/links/{link.id}")

    def browse(self) -> None:
        limit = self.chance.choice((5, 20, 50))
        self.send("list", "GET", f"/api/links?limit={limit}")
        path = self.chance.choice(("/api/trash?limit=20", "/api/deletions?limit=20"))
        self.send("read", "GET", path)

    def visit(self) -> None:
        for link in self.pool.some(self.chance, 3):
            token = self.new_token()
            self.client.send("redirect", token, "GET", f"/{link.code}", code=link.code)

    def qr(self) -> None:
        for link in self.pool.some(self.chance, 1):
            self.send("qr", "GET", f"/api/links/{link.id}/qr?format=svg&size=200")

    def install(self) -> None:
        """A visit, and an install that it led to."""
        for link in self.pool.some(self.chance, 1):
            token = self.new_token()
            self.client.send("redirect", token, "GET", f"/{link.code}", code=link.code)
            body = {"linkId": link.id, "platform": "iOS"}
            self.send("install", "POST", "/api/installs", body, keyed=True)

    def export(self) -> None:
        for link in self.pool.some(self.chance, 1):
            path = f"/api/analytics/links/{link.id}/export"
            self.send("export", "POST", path, {}, keyed=True)

    # -- delete -----------------------------------------------------------------------------

    def soft_delete(self) -> None:
        """By either route, one to a few links; sometimes with an unknown id."""
        ids = [each.id for each in self.pool.some(self.chance, self.chance.choice((1, 2, 5, 20)))]
        if not ids:
            return
        if self.chance.random() < 0.1:
            ids.append("00000000-0000-4000-8000-000000000000")
        token = self.new_token()
        if self.chance.random() < 0.6:
            path, method, body = f"/api/links?reason={quote(token)}", "DELETE", ids
            operation = self.send("soft", method, path, body, token=token, keyed=True, ids=ids)
        else:
            asked: dict[str, Any] = {"ids": ids, "reason": token}
            if self.chance.random() < 0.2:
                asked["export"] = True
            operation = self.send(
                "soft", "POST", "/api/deletions", asked, token=token, keyed=True, ids=ids
            )
        self.soft_deleted(operation, ids)

    def soft_deleted(self, operation: Operation, ids: list[str]) -> None:
        """Note an accepted soft delete."""
        if operation.succeeded and operation.deletion_id is not None:
            gone = self.pool.removed(ids, deletion_id=operation.deletion_id)
            if operation.status == 200:
                self.site.watcher.watch(each.code for each in gone)

    def erase_one(self) -> None:
        for link in self.pool.some(self.chance, 1):
            token = self.new_token()
            path = f"/api/links/{link.id}?reason={quote(token)}"
            operation = self.send(
                "erase one", "DELETE", path, None, token=token, keyed=True, ids=[link.id]
            )
            self.erased(operation, [link.id])

    def erase_many(self) -> None:
        """By either route: live links, and some that are in the trash."""
        ids = [each.id for each in self.pool.some(self.chance, self.chance.choice((1, 3, 8)))]
        deletion = self.pool.a_deletion(self.chance)
        if deletion is not None and self.chance.random() < 0.5:
            ids += [each for each in deletion[1][:3] if each not in ids]
        if not ids:
            return
        token = self.new_token()
        body: dict[str, Any] = {"ids": ids, "reason": token}
        path = "/api/links/bulk-delete"
        if self.chance.random() < 0.4:
            path, body = "/api/deletions", body | {"mode": "erase"}
        operation = self.send("erase", "POST", path, body, token=token, keyed=True, ids=ids)
        self.erased(operation, ids)

    def erased(self, operation: Operation, ids: list[str]) -> None:
        """Note an accepted erasure."""
        if operation.succeeded:
            gone = self.pool.removed(ids)
            if operation.status == 200:
                self.site.watcher.watch(each.code for each in gone)

    def delete_by_filter(self) -> None:
        """A trial run of a filter, and the delete that it confirms."""
        for link in self.pool.some(self.chance, 1):
            mode = self.chance.choice(("soft", "soft", "erase"))
            wanted: dict[str, Any] = {"filter": {"tag": link.tag}, "mode": mode}
            trial = wanted | {"dryRun": True, "reason": self.new_token()}
            tried = self.send(
                "dry run", "POST", "/api/deletions", trial, token=trial["reason"], keyed=True
            )
            body = wanted | {"reason": self.new_token()}
            if tried.succeeded and self.chance.random() < 0.7:
                body["confirmationToken"] = tried.response["confirmationToken"]
            operation = self.send(
                "filter", "POST", "/api/deletions", body, token=body["reason"], keyed=True
            )
            if operation.succeeded:
                ids = [each["id"] for each in operation.response["results"]]
                if mode == "soft":
                    self.soft_deleted(operation, ids)
                else:
                    self.erased(operation, ids)

    # -- restore ----------------------------------------------------------------------------

    def restore(self) -> None:
        """All or some of the links of a recent soft delete."""
        deletion = self.pool.a_deletion(self.chance)
        if deletion is not None:
            some = self.chance.random() < 0.4
            self.bring_back(*deletion, self.tenant.workspace.admin_key, some=some)

    def undo(self) -> None:
        """A delete that its own key undoes at once."""
        ids = [each.id for each in self.pool.some(self.chance, 3)]
        if not ids:
            return
        token = self.new_token()
        path, key = f"/api/links?reason={quote(token)}", self.tenant.undo_key
        operation = self.send("soft", "DELETE", path, ids, token=token, api_key=key, ids=ids)
        if operation.status == 200 and operation.deletion_id is not None:
            self.pool.removed(ids, deletion_id=operation.deletion_id)
            self.bring_back(operation.deletion_id, ids, key)

    def bring_back(
        self, deletion_id: str, ids: list[str], api_key: str, *, some: bool = False
    ) -> Operation:
        """Restore the links of a deletion."""
        token = self.new_token()
        body: dict[str, Any] = {"reason": token}
        if some:
            body["ids"] = ids = ids[: max(1, len(ids) // 2)]
        known = self.pool.by_id
        self.site.watcher.forget(known[each].code for each in ids if each in known)
        operation = self.send(
            "restore",
            "POST",
            f"/api/deletions/{deletion_id}/restore",
            body,
            token=token,
            api_key=api_key,
            keyed=True,
            ids=ids if some else None,
            deletion_id=deletion_id,
        )
        if operation.succeeded:
            self.pool.restored(operation.response["restoredIds"])
        return operation

    # -- another workspace ------------------------------------------------------------------

    def another_tenant(self) -> None:
        """Request links and deletions of another workspace: none may be found."""
        others = [each for each in self.site.tenants if each.id != self.tenant.id]
        other = self.chance.choice(others)
        foreign = [each.id for each in other.pool.some(self.chance, 2)]
        deletion = other.pool.a_deletion(self.chance)
        for link_id in foreign[:1]:
            self.send("get", "GET", f"/api/links/{link_id}")
        if foreign:
            token = self.new_token()
            body = {"ids": foreign, "reason": token}
            self.send("erase", "POST", "/api/links/bulk-delete", body, token=token, ids=foreign)
            own = [each.id for each in self.pool.some(self.chance, 1)]
            token, ids = self.new_token(), own + foreign
            path = f"/api/links?reason={quote(token)}"
            self.send("soft", "DELETE", path, ids, token=token, ids=ids)
        if deletion is not None:
            self.bring_back(deletion[0], [], self.tenant.workspace.admin_key)


class BatchVisitor(Visitor):
    """Deletes, restores and erases as many links as one request may name: ``most``."""

    def act(self) -> None:
        """Once."""
        ids: list[str] = []
        while len(ids) < self.most and not self.over:
            created = self.create(min(CREATE_SIZE, self.most - len(ids)))
            if created.status == 201:
                ids += [each["id"] for each in created.response]
        token = self.new_token()
        path = f"/api/links?reason={quote(token)}"
        deleted = self.send("soft", "DELETE", path, ids, token=token, keyed=True, ids=ids)
        self.soft_deleted(deleted, ids)
        if deleted.deletion_id is None:
            return
        admin = self.tenant.workspace.admin_key
        for _ in range(20):
            # 409 while it is still deleting in the background.
            if self.bring_back(deleted.deletion_id, ids, admin, some=True).status != 409:
                break
            time.sleep(1)
        ids, token = ids[:ERASE_SIZE], self.new_token()
        body = {"ids": ids, "reason": token}
        erased = self.send(
            "erase", "POST", "/api/links/bulk-delete", body, token=token, keyed=True, ids=ids
        )
        self.erased(erased, ids)
