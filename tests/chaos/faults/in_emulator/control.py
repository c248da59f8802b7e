"""``POST /_faults``: how the process of the tests begins and pauses the faults, and counts them."""

from __future__ import annotations

import json
from typing import Any

from .calls import Calls
from .decisions import Decisions, FaultRates
from .deliveries import Deliveries
from .stale_reads import StaleReads
from .wire import JSON, Exchange, Response
from .workers import Workers

PATH = "/_faults"


class Control:
    """Answers `PATH`; anything else is passed to the emulator, through the faults."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._decisions = Decisions()
        workers = Workers(self._decisions)
        Deliveries(self._decisions)
        StaleReads(self._decisions)
        self._calls = Calls(application, self._decisions, workers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._calls(scope, receive, send)
            return
        exchange = await Exchange.read(self._application, scope, receive, send)
        wish = exchange.json() if exchange.body else {}
        if "seed" in wish:
            self._decisions.begin_again(int(wish["seed"]), FaultRates(**wish["rates"]))
        if wish.get("active") is True:
            self._decisions.start()
        elif wish.get("active") is False:
            self._decisions.pause()
            # A late call would otherwise change a table that a checker is reading.
            await self._calls.quiet()
        body = json.dumps(self._decisions.report()).encode()
        await exchange.respond(Response(200, [(b"content-type", JSON)], body))
