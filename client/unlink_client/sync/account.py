# Generated from unlink_client/aio by generate_sync.py: change that.

"""The caller, API keys, receipts, and the service itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from unlink_client import operations
from unlink_client.errors import Conflict
from unlink_client.models import ApiKey, IssuedApiKey, Me, RevokedApiKey
from unlink_client.receipts import SignedReceipt
from unlink_client.retries import Pauses
from unlink_client.sync.transport import Transport


class Account(Transport):
    """The part of the client that concerns the workspace and the service."""

    def me(self) -> Me:
        """The caller: workspace, scopes, plan, and the requests that are left in this minute."""
        return self.send(operations.get_me())

    def api_keys(self, *, page_size: int = 100) -> Iterator[ApiKey]:
        """The API keys of the workspace, newest first. Needs the scope ``admin``."""
        for page in self._pages(
            lambda cursor: operations.list_keys(limit=page_size, cursor=cursor)
        ):
            for key in page.keys:
                yield key

    def issue_key(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> IssuedApiKey:
        """A new API key, whose ``secret`` is shown this once. Needs the scope ``admin``."""
        return self.send(
            operations.issue_key(
                name, scopes, expires_at=expires_at, idempotency_key=idempotency_key
            )
        )

    def revoke_key(
        self, id: str, *, last_admin: bool = False, idempotency_key: str | None = None
    ) -> RevokedApiKey:
        """Revoke an API key. Needs the scope ``admin``.

        Raises ``LastAdmin`` if the workspace would then have no administrator, unless
        ``last_admin`` is true.
        """
        return self.send(
            operations.revoke_key(id, last_admin=last_admin, idempotency_key=idempotency_key)
        )

    def receipt(self, id: str, *, timeout: float = 0) -> SignedReceipt | None:
        """The signed receipt of an erasure; None from a service that does not sign receipts.

        It exists a minute or two after the erasure is complete. ``timeout`` is how many seconds to
        wait for it; then ``Conflict`` is raised.
        """
        pauses = Pauses(timeout)
        while True:
            try:
                return self.send(operations.get_receipt(id))
            except Conflict as error:
                pause = pauses.next(at_least=error.retry_after or 0)
                if pause is None:
                    raise
            time.sleep(pause)

    def jwks(self) -> dict[str, Any]:
        """The public keys that verify receipts; this call needs no API key."""
        return self.send(operations.get_jwks())

    def open_api(self) -> dict[str, Any]:
        """The OpenAPI document of the service; this call needs no API key."""
        return self.send(operations.get_open_api())
