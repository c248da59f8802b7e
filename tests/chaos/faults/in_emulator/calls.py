"""Faults of the calls that functions make: the HTTP border between the SDK and the emulator."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from .decisions import NO_DICE, Decisions
from .partial import BATCHES, DELETE_OBJECTS, in_part
from .refusals import S3, failed, refused
from .stale_reads import by_function
from .wire import Exchange
from .workers import TOKEN, Workers


def function_call(scope: Any) -> tuple[str, str, str] | None:
    """(service, operation, session token) of a call that a function makes, or None.

    A function's process is known by the session token that it was started with. S3 alone names
    no operation: its method is taken for it, except for `DeleteObjects`, its only batch.
    """
    target = token = b""
    for name, value in scope["headers"]:
        if name == b"x-amz-target":
            target = value
        elif name == b"x-amz-security-token":
            token = value
    if not token.startswith(TOKEN):
        return None
    service, _, operation = target.decode().partition(".")
    if not service:
        batch = scope["method"] == "POST" and scope["query_string"].partition(b"=")[0] == b"delete"
        service, operation = S3, DELETE_OBJECTS if batch else scope["method"]
    return service, operation, token.decode()


class Calls:
    """The emulator's application with faults in front of it."""

    def __init__(self, application: Any, decisions: Decisions, workers: Workers) -> None:
        self._application = application
        self._decisions = decisions
        self._workers = workers
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call = None
        if scope["type"] == "http" and self._decisions.active:
            call = function_call(scope)
        if call is None:
            await self._application(scope, receive, send)
            return
        fault, dice = self._draw(call[1])
        with by_function():
            if fault is None:
                await self._application(scope, receive, send)
                return
            self._running += 1
            self._idle.clear()
            try:
                exchange = await Exchange.read(self._application, scope, receive, send)
                await _Fault(self._decisions, self._workers, call, dice).happen(fault, exchange)
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()

    def _draw(self, operation: str) -> tuple[str | None, random.Random]:
        rates = self._decisions.rates
        if rates.operations and operation not in rates.operations:
            return None, NO_DICE
        return self._decisions.draw(
            operation,
            throttle=rates.throttle,
            partial=rates.partial if operation in BATCHES else 0,
            delay=rates.delay,
            late=rates.late,
            twice=rates.twice,
            kill=rates.kill_at_call,
        )

    async def quiet(self) -> None:
        """Wait until no call is delayed."""
        await self._idle.wait()


class _Fault:
    """One fault of one call."""

    def __init__(
        self,
        decisions: Decisions,
        workers: Workers,
        call: tuple[str, str, str],
        dice: random.Random,
    ) -> None:
        self._count = decisions.count
        self._rates = decisions.rates
        self._workers = workers
        self._service, self._operation, self._token = call
        self._dice = dice

    async def happen(self, name: str, exchange: Exchange) -> None:
        kinds: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "throttle": self._throttle,
            "partial": self._partial,
            "delay": self._delay,
            "late": self._late,
            "twice": self._twice,
            "kill": self._kill,
        }
        if self._rates.containing.encode() in exchange.body:
            await kinds[name](exchange)
        else:
            await exchange.respond(await exchange.carry_out())

    async def _throttle(self, exchange: Exchange) -> None:
        self._count("throttles")
        await exchange.respond(refused(self._service, self._operation, exchange, self._dice))

    async def _partial(self, exchange: Exchange) -> None:
        self._count("partial batches")
        await exchange.respond(await in_part(self._operation, exchange, self._dice))

    async def _delay(self, exchange: Exchange) -> None:
        self._count("delays")
        await asyncio.sleep(self._dice.uniform(0, self._rates.delay_seconds))
        await exchange.respond(await exchange.carry_out())

    async def _late(self, exchange: Exchange) -> None:
        self._count("late calls")
        await asyncio.sleep(self._rates.late_seconds * self._dice.uniform(1, 1.3))
        await exchange.respond(await exchange.carry_out())

    async def _twice(self, exchange: Exchange) -> None:
        self._count("lost responses")
        await exchange.carry_out()
        if self._dice.random() < 0.5:
            await exchange.reset()
        else:
            await exchange.respond(failed(self._service))

    async def _kill(self, exchange: Exchange) -> None:
        if self._dice.random() < 0.5:
            await exchange.carry_out()
        self._workers.kill(self._token)
        await exchange.reset()
