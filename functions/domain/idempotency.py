"""Idempotency keys: what a request is recognized by, and what a used key stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.domain.errors import KeyReused


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key and the hash of its request (method, path, body)."""

    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The record of a used key; ``details`` are the attributes of the route."""

    request_hash: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def check(self, key: IdempotencyKey) -> None:
        """Raises ``KeyReused`` if the key was used for another request."""
        if self.request_hash != key.request_hash:
            raise KeyReused


class KeyTaken(Exception):
    """Another request with the same Idempotency-Key was accepted first."""
