# Generated from unlink_client/aio by generate_sync.py: change that.

"""Sends calls over HTTP: the only code that waits for a network."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Self, TypeVar

import httpx2

from unlink_client.calls import (
    Call,
    Response,
    base_url_of,
    content_of,
    headers_of,
    key_of,
    result_of,
)
from unlink_client.errors import ConnectionFailed, UnlinkError
from unlink_client.models import ApiKeyPage, DeletionPage, LinkPage, TrashPage
from unlink_client.retries import Attempts, OnWait, Retries, Wait
from unlink_client.version import USER_AGENT

T = TypeVar("T")
_Page = TypeVar("_Page", ApiKeyPage, DeletionPage, LinkPage, TrashPage)

#: Seconds for one attempt. API Gateway ends a request after 29.
TIMEOUT = 60.0


class Transport:
    """One service and one key.

    ``key`` is an API key or a session token; None for the routes that need none. ``timeout`` is in
    seconds, for one attempt. ``on_wait`` is called for every pause before a request is repeated.
    ``http`` is a client to use instead of a new one; it is not closed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries | None = None,
        on_wait: OnWait | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        self.url = base_url_of(url)
        self._key = None if key is None else key_of(key)
        self._retries = retries or Retries()
        self._on_wait = on_wait
        self._owned = http is None
        self._http = http or httpx2.Client(timeout=timeout, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result; retries if that does nothing twice.

        Raises the errors of :mod:`unlink_client.errors`.
        """
        if call.idempotent and call.idempotency_key is None:
            call = replace(call, idempotency_key=str(uuid.uuid4()))
        attempts = Attempts(call, self._retries)
        while True:
            try:
                response = self._attempt(call)
            except (httpx2.InvalidURL, httpx2.LocalProtocolError, UnicodeError) as error:
                # A host without an encoding, a line break in a header, or half of a surrogate pair.
                raise UnlinkError(f"The request to {self.url} cannot be sent: {error}") from error
            except httpx2.RequestError as error:
                wait = attempts.after_failure(f"no response from {self.url}")
                if wait is None:
                    raise self._failure(error) from error
            else:
                wait = attempts.after_response(response)
                if wait is None:
                    return result_of(call, response)
            self._pause(wait)

    def _pages(self, call: Callable[[str | None], Call[_Page]]) -> Iterator[_Page]:
        """Every page of a list; ``call`` makes the request from a cursor, None for the first."""
        cursor: str | None = None
        while True:
            page = self.send(call(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def _attempt(self, call: Call[T]) -> Response:
        response = self._http.request(
            call.method,
            self.url + call.path,
            params=dict(call.query) or None,
            content=content_of(call),
            headers=headers_of(call, self._key, USER_AGENT),
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, response.content)

    def _pause(self, wait: Wait) -> None:
        if self._on_wait is not None:
            self._on_wait(wait)
        time.sleep(wait.seconds)

    def _failure(self, error: httpx2.RequestError) -> ConnectionFailed:
        if isinstance(error, httpx2.TimeoutException):
            return ConnectionFailed(f"{self.url} did not answer in time")
        return ConnectionFailed(
            f"No connection to {self.url}: {str(error) or type(error).__name__}"
        )
