"""A client of a workspace: how it sends requests, and how it repeats them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from random import Random
from typing import Any

from local.demo_data import Workspace
from tests.chaos.client import Client
from tests.chaos.history import History, Kind, Operation
from tests.chaos.pool import Pool
from tests.chaos.watcher import Watcher

#: How often a request with an Idempotency-Key is sent again when its response is unknown.
REPEATS = 3


@dataclass(frozen=True)
class Tenant:
    """A workspace under load. ``undo_key`` may undo its own deletes, and no others."""

    workspace: Workspace
    undo_key: str
    pool: Pool

    @property
    def id(self) -> str:
        return self.workspace.workspace_id


@dataclass(frozen=True)
class Site:
    """What all clients of a run share."""

    base_url: str
    history: History
    watcher: Watcher
    tenants: tuple[Tenant, ...]


class Sender(threading.Thread):
    """One client of a workspace: at most ``most`` actions, or as many as fit until ``until``."""

    def __init__(self, name: str, site: Site, tenant: Tenant, seed: str, *, most: int) -> None:
        super().__init__(name=name, daemon=True)
        self.site, self.tenant, self.pool = site, tenant, tenant.pool
        self.chance = Random(f"{seed} {name}")
        self.client = Client(site.base_url, tenant.id, site.history)
        self.until = self.latest = float("inf")
        self.least = 0
        self.pause = 0.0
        self.most, self.tokens = most, 0
        self.done = False

    def run(self) -> None:
        """Send requests until the time is over; raises nothing, so see ``done``."""
        try:
            self.act()
            self.done = True
        finally:
            self.client.close()

    @property
    def over(self) -> bool:
        """Whether the time is over: ``until``, or on a slow machine once ``least`` requests of the
        run were sent, but not after ``latest``.
        """
        now = time.time()
        enough = len(self.site.history) >= self.least
        return now >= self.latest or (now >= self.until and enough)

    def act(self) -> None:
        """What this client does."""
        raise NotImplementedError

    def new_token(self) -> str:
        """A unique name for a request of this run."""
        self.tokens += 1
        return f"{self.name}-{self.tokens}"

    def send(
        self,
        kind: Kind,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        keyed: bool = False,
        api_key: str = "",
        **more: Any,
    ) -> Operation:
        """Send a request; with ``keyed`` perhaps with an Idempotency-Key, and then perhaps again.

        Returns the attempt that succeeded, or the last one.
        """
        token = token or self.new_token()
        key = token if keyed and self.chance.random() < 0.6 else None
        given: dict[str, Any] = {"api_key": api_key or self.tenant.workspace.api_key, "key": key}

        def attempt(client: Client) -> Operation:
            return client.send(kind, token, method, path, body, **given, **more)

        if key is None:
            return attempt(self.client)
        attempts: list[Operation] = []
        parallel = None
        if self.chance.random() < 0.3:
            second = Client(self.site.base_url, self.tenant.id, self.site.history)
            parallel = threading.Thread(target=lambda: attempts.append(attempt(second)))
            parallel.start()
        attempts.append(attempt(self.client))
        if parallel is not None:
            parallel.join()
            second.close()
        if self.chance.random() < 0.2:
            attempts.append(attempt(self.client))
        while not any(each.succeeded for each in attempts) and len(attempts) < REPEATS:
            if not attempts[-1].unknown and attempts[-1].status != 409:
                break
            time.sleep(0.3)
            attempts.append(attempt(self.client))
        return next((each for each in attempts if each.succeeded), attempts[-1])
