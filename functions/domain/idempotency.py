"""Idempotency keys: what a request is recognized by, and what a used key stands for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from functions.domain.errors import KeyReused


class IdempotencyKey(NamedTuple):
    """A client's key and the hash of its request (method, path, body)."""

    key: str
    request_hash: str


class IdempotencyRecord(NamedTuple):
    """The record of a used key; ``details`` are the attributes of the route."""

    request_hash: str
    details: Mapping[str, Any] = MappingProxyType({})

    def check(self, key: IdempotencyKey) -> None:
        """Raises ``KeyReused`` if the key was used for another request."""
        if self.request_hash != key.request_hash:
            raise KeyReused


class KeyTaken(Exception):
    """Another request with the same Idempotency-Key was accepted first."""
