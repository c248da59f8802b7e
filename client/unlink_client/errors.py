"""Every error of the client. The API has two formats for errors; here they are one tree.

The tree::

    UnlinkError                      base of all
    ├── InvalidSettings              the URL or the key cannot be used
    ├── ConnectionFailed             no response: unknown host, refused, timeout, TLS
    ├── UnexpectedResponse           not a response of this API: often a wrong URL
    ├── ApiError                     status, message, request_id, deletion_id
    │   ├── InvalidRequest      400  details, limit
    │   │   └── InvalidIds      400  invalid_ids, unknown_ids and their counts
    │   ├── Unauthenticated     401
    │   ├── MissingScopes       403  missing_scopes
    │   ├── NotFound            404
    │   ├── MethodNotAllowed    405
    │   ├── Conflict            409
    │   │   ├── CodeTaken       409  taken_codes, taken_external_ids
    │   │   ├── LastAdmin       409  the workspace would be without an administrator
    │   │   ├── StillRunning    409  the first request with this Idempotency-Key has no response yet
    │   │   └── PlanIsStale     409  other links match than those that the plan was made of
    │   ├── BodyTooLarge        413
    │   ├── KeyReused           422  the Idempotency-Key belongs to another request
    │   ├── RateLimited         429  retry_after; limit if a limit of the workspace's plan
    │   ├── ServerError         500
    │   └── Unavailable         502, 503, 504  retry_after
    ├── PlanIsInvalid                no plan, a changed one, or one of another workspace
    ├── DeletionFailed               the deletion ended in the state ``failed``
    ├── WaitTimeout                  the deletion or export continues; only the wait has ended
    └── ReceiptIsInvalid             the signature or the content does not prove what was claimed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlink_client.models import Taken


class UnlinkError(Exception):
    """Base of all errors of this package."""


class InvalidSettings(UnlinkError):
    """The URL of the service or the API key cannot be used as given."""


class ConnectionFailed(UnlinkError):
    """The service did not respond. It may have executed the request."""


class UnexpectedResponse(UnlinkError):
    """A response that is not from this API, for example from another server at a wrong URL."""


class PlanIsInvalid(UnlinkError):
    """The file or token is not a plan, was changed, or belongs to another workspace."""


class DeletionFailed(UnlinkError):
    """The deletion ended in the state ``failed``; ``deletion_id`` names its record."""

    def __init__(self, message: str, *, deletion_id: str) -> None:
        super().__init__(message)
        self.deletion_id = deletion_id


class WaitTimeout(UnlinkError):
    """The time to wait is over. The service continues; ``deletion_id`` names the record."""

    def __init__(self, message: str, *, deletion_id: str | None = None) -> None:
        super().__init__(message)
        self.deletion_id = deletion_id


class ReceiptIsInvalid(UnlinkError):
    """A receipt does not prove what is claimed."""


class ApiError(UnlinkError):
    """The service refused a request.

    ``status`` is the HTTP status, ``message`` the English sentence, ``message_ar`` the Arabic one
    where the route has it. ``request_id`` names the request in the service's log. ``deletion_id``
    names a deletion that exists in spite of the error. ``members`` are the body's other members.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        message_ar: str | None = None,
        request_id: str | None = None,
        deletion_id: str | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.message_ar = message_ar
        self.request_id = request_id
        self.deletion_id = deletion_id
        self.members = dict(members or {})

    @property
    def details(self) -> tuple[str, ...]:
        """What is wrong, field by field."""
        return _texts(self.members.get("details"))

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to try again."""
        return _number(self.members.get("retryAfter"))

    @property
    def limit(self) -> int | None:
        """The maximum of the request, or of the workspace's plan."""
        return _number(self.members.get("limit"))

    def __str__(self) -> str:
        details = [each for each in self.details if each != self.message]
        return f"{self.message}: {'; '.join(details)}" if details else self.message


class InvalidRequest(ApiError):
    """The request is invalid; nothing was changed."""


class InvalidIds(InvalidRequest):
    """Some ids are malformed or not live links of the workspace; nothing was deleted.

    At most 100 ids of each kind are named; ``invalid_count`` and ``unknown_count`` count all.
    """

    @property
    def invalid_ids(self) -> tuple[str, ...]:
        return _texts(self.members.get("invalidIds"))

    @property
    def unknown_ids(self) -> tuple[str, ...]:
        return _texts(self.members.get("unknownIds"))

    @property
    def invalid_count(self) -> int:
        return _number(self.members.get("invalidCount")) or 0

    @property
    def unknown_count(self) -> int:
        return _number(self.members.get("unknownCount")) or 0


class Unauthenticated(ApiError):
    """The API key or session is missing, wrong, revoked or expired."""


class MissingScopes(ApiError):
    """The key is valid but lacks ``missing_scopes``."""

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        return _texts(self.members.get("missingScopes"))

    def __str__(self) -> str:
        scopes = ", ".join(self.missing_scopes)
        return f"{self.message}: {scopes}" if scopes else self.message


class NotFound(ApiError):
    """No such link, deletion or export in the key's workspace."""


class MethodNotAllowed(ApiError):
    """The route has other methods."""


class Conflict(ApiError):
    """The request conflicts with the current state."""


class CodeTaken(Conflict):
    """Another link has the short code or the external id; nothing was created.

    ``taken`` has details of names that this workspace uses itself, for a key with ``linksRead``.
    """

    @property
    def taken(self) -> tuple[Taken, ...]:
        from unlink_client.decoding import decode
        from unlink_client.models import Taken

        found = self.members.get("taken")
        return tuple(decode(Taken, each) for each in found) if isinstance(found, list) else ()

    @property
    def taken_codes(self) -> tuple[str, ...]:
        return _texts(self.members.get("takenCodes"))

    @property
    def taken_external_ids(self) -> tuple[str, ...]:
        return _texts(self.members.get("takenExternalIds"))

    def __str__(self) -> str:
        taken = ", ".join(self.taken_codes + self.taken_external_ids)
        return f"{self.message}: {taken}" if taken else self.message


class LastAdmin(Conflict):
    """The key is the last one with the scope ``admin``, and there is no owner."""


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running."""


class PlanIsStale(Conflict):
    """Other links match now than those of the plan; nothing was deleted."""


class BodyTooLarge(ApiError):
    """The body is larger than the route takes."""


class KeyReused(ApiError):
    """The Idempotency-Key was used before, for a different request."""


class RateLimited(ApiError):
    """Too many requests: try again after ``retry_after`` seconds."""


class ServerError(ApiError):
    """Something failed in the service; its log has the details under ``request_id``."""


class Unavailable(ApiError):
    """The service cannot respond now. Accepted work will still be completed."""


#: The class of each status. A status that is not here has the class of its hundred.
_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: MissingScopes,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: BodyTooLarge,
    422: KeyReused,
    429: RateLimited,
    500: ServerError,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

STILL_RUNNING = "A request with this Idempotency-Key is still running"

#: The contract has no codes for conflicts; the English sentence distinguishes them.
_BY_SENTENCE: dict[str, type[Conflict]] = {
    STILL_RUNNING: StillRunning,
    "The matching links have changed since the dry run": PlanIsStale,
}

_NOT_MEMBERS = frozenset({"statusCode", "error", "message"})


def error_of(
    status: int, body: Any, *, headers: Mapping[str, str], method: str, path: str
) -> UnlinkError:
    """The error that a response means.

    ``body`` is its JSON, None if it has none; ``headers`` have lower-case names. Both formats are
    read: ``{"error": {"en", "ar"}}`` and ``{"statusCode", "error", "message"}``.
    """
    sentence, arabic = _sentences(body)
    if sentence is None:
        # A proxy's page, or another service.
        if status in (429, 502, 503, 504):
            sentence = f"The service answered {status} to {method} {path}"
        else:
            return UnexpectedResponse(
                f"{method} {path} answered {status} without an error of the Unlink API. "
                "Is the URL that of an Unlink service?"
            )
    members = {}
    if isinstance(body, dict):
        members = {name: value for name, value in body.items() if name not in _NOT_MEMBERS}
    if "retryAfter" not in members and (seconds := headers.get("retry-after", "")).isdecimal():
        members["retryAfter"] = int(seconds)
    return _class_of(status, sentence, members)(
        sentence,
        status=status,
        message_ar=arabic,
        request_id=headers.get("x-request-id"),
        deletion_id=headers.get("x-deletion-id"),
        members=members,
    )


def _class_of(status: int, sentence: str, members: Mapping[str, Any]) -> type[ApiError]:
    if status == 400 and (members.get("invalidIds") or members.get("unknownIds")):
        return InvalidIds
    if status == 409:
        if members.get("takenCodes") or members.get("takenExternalIds"):
            return CodeTaken
        if members.get("lastAdmin"):
            return LastAdmin
        return _BY_SENTENCE.get(sentence, Conflict)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= 500 else InvalidRequest


def _sentences(body: Any) -> tuple[str | None, str | None]:
    """The English and the Arabic sentence of an error in either format."""
    if not isinstance(body, dict):
        return None, None
    error, message = body.get("error"), body.get("message")
    if isinstance(error, dict) and isinstance(error.get("en"), str):
        arabic = error.get("ar")
        return error["en"], arabic if isinstance(arabic, str) else None
    return (message, None) if isinstance(message, str) and "statusCode" in body else (None, None)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
