"""Every error that a caller can see, and its two formats.

The tree::

    UnlinkError                     status, English and Arabic text, members next to the error
    ├── InvalidRequest         400  not JSON, wrong shape, a field out of range
    │   └── InvalidIds         400  names the ids: invalidIds, unknownIds
    ├── Unauthenticated        401  the gateway's body: its cached response outlived the credential
    ├── MissingScopes          403  missingScopes
    ├── NotFound               404
    │   ├── LinkNotFound       404  exactly LinkForty's body
    │   ├── DeletionNotFound   404
    │   ├── ApiKeyNotFound     404
    │   └── ReceiptNotFound    404
    ├── Conflict               409
    │   ├── ShortCodeTaken     409
    │   ├── SelectionChanged   409  other links match than the confirmed ones
    │   ├── DeletionOpen       409  a restore has to wait for its end
    │   ├── ReceiptPending     409  retryAfter
    │   ├── LastAdmin          409  lastAdmin
    │   └── StillRunning       409  the request of this Idempotency-Key has no response yet
    ├── MethodNotAllowed       405  names the methods that the route has in Allow
    ├── BodyTooLarge           413
    ├── KeyReused              422  same Idempotency-Key, another request
    ├── RateLimited            429  retryAfter
    ├── LimitReached           429  a limit of the workspace's plan; limit, retryAfter
    ├── InternalError          500
    └── Unavailable            503  AWS did not respond in time; retryAfter

``DELETE /api/links`` and ``/api/deletions…`` use Hoko's format, every other route uses LinkForty's.
In both, extra members are added to the error and never replace it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from functions.domain.error_texts import (
    MAX_SENTENCE,
    NAMED_IDS,
    bounded,
    phrase_of,
    shortened,
)

if TYPE_CHECKING:
    from typing import Unpack

    from functions.domain.error_bodies import ErrorBody, ErrorMembers


class UnlinkError(Exception):
    """Base of all errors with a response.

    ``english`` and ``arabic`` are for Hoko's format, ``message`` is for LinkForty's (by default the
    English text). ``deletion_id`` names a deletion that exists in spite of the error: an accepted
    deletion always completes.
    """

    deletion_id: str | None = None

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    english = "Internal server error"
    arabic = "خطأ داخلي في الخادم"

    def __init__(self, message: str | None = None, **members: Unpack[ErrorMembers]) -> None:
        self.message = shortened(message or self.english, MAX_SENTENCE)
        self.members = cast("ErrorMembers", bounded(members))
        super().__init__(self.message)

    def headers(self) -> dict[str, str]:
        """Headers that belong to this error."""
        retry_after = self.members.get("retryAfter")
        return {} if retry_after is None else {"Retry-After": str(retry_after)}

    def to_hoko(self) -> ErrorBody:
        """The error in Hoko's format; a message that says more than the error is a detail."""
        more: ErrorMembers = {"details": [self.message]} if self.message != self.english else {}
        return {"error": {"en": self.english, "ar": self.arabic}, **more, **self.members}

    def to_linkforty(self) -> ErrorBody:
        """The error in LinkForty's format."""
        return self._linkforty_with(self.message)

    def _linkforty_with(self, message: str) -> ErrorBody:
        return {
            "statusCode": int(self.status),
            "error": phrase_of(self.status),
            "message": message,
            **self.members,
        }


class InvalidRequest(UnlinkError):
    """The request is invalid; nothing was changed."""

    status = HTTPStatus.BAD_REQUEST
    english = "Invalid request"
    arabic = "طلب غير صالح"


class InvalidIds(InvalidRequest):
    """Some ids are malformed or not live links of the workspace: the first 100, and how many."""

    def __init__(
        self, message: str | None = None, *, invalid: list[str], unknown: list[str]
    ) -> None:
        members: ErrorMembers = {}
        if invalid:
            members["invalidIds"], members["invalidCount"] = invalid[:NAMED_IDS], len(invalid)
        if unknown:
            members["unknownIds"], members["unknownCount"] = unknown[:NAMED_IDS], len(unknown)
        super().__init__(message, **members)


class Unauthenticated(UnlinkError):
    """The credential expired after the gateway cached its authorization; the gateway's own body.

    API Gateway renames its header to ``x-amzn-Remapped-WWW-Authenticate``, in responses of
    functions only.
    """

    status = HTTPStatus.UNAUTHORIZED
    english = "Invalid API key"
    arabic = "مفتاح API غير صالح"

    def __init__(self) -> None:
        super().__init__("Authentication required")

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}

    def to_hoko(self) -> ErrorBody:
        return {
            "statusCode": int(self.status),
            "error": {"en": self.english, "ar": self.arabic},
            "message": self.message,
        }

    to_linkforty = to_hoko


class MissingScopes(UnlinkError):
    """The caller is known but its key lacks these scopes, exactly."""

    status = HTTPStatus.FORBIDDEN
    english = "Missing required scopes"
    arabic = "الصلاحيات المطلوبة مفقودة"

    def __init__(self, missing: list[str]) -> None:
        super().__init__(missingScopes=missing)


class NotFound(UnlinkError):
    """No such resource in the caller's workspace; the same for one of another workspace."""

    status = HTTPStatus.NOT_FOUND
    english = "Not found"
    arabic = "غير موجود"


class LinkNotFound(NotFound):
    """The link is unknown, foreign, soft-deleted or erased: one response for all four."""

    english = "Link not found"
    arabic = "الرابط غير موجود"


class DeletionNotFound(NotFound):
    """No deletion of this id in the caller's workspace."""

    english = "Deletion not found"
    arabic = "عملية الحذف غير موجودة"


class ApiKeyNotFound(NotFound):
    """The workspace has no API key of this id."""

    english = "API key not found"
    arabic = "مفتاح API غير موجود"


class ReceiptNotFound(NotFound):
    """The workspace has no erasure of this id, or it removed nothing."""

    english = "Receipt not found"
    arabic = "الإيصال غير موجود"


class Conflict(UnlinkError):
    """The request conflicts with the current state."""

    status = HTTPStatus.CONFLICT
    english = "Conflict"
    arabic = "تعارض"


class ShortCodeTaken(Conflict):
    """The short code belongs to another link; it is never silently replaced."""

    english = "Short code is already in use"
    arabic = "الرمز القصير مستخدم بالفعل"

    def __init__(self, codes: list[str]) -> None:
        super().__init__(takenCodes=codes[:NAMED_IDS])


class DeletionOpen(Conflict):
    """The deletion is still running, so its links cannot be restored yet."""

    english = "The deletion is not complete yet"
    arabic = "عملية الحذف لم تكتمل بعد"


class ReceiptPending(Conflict):
    """The erasure is not complete yet, or its receipt is about to be signed."""

    english = "The receipt is not ready yet"
    arabic = "الإيصال غير جاهز بعد"

    def __init__(self) -> None:
        super().__init__(retryAfter=60)


class LastAdmin(Conflict):
    """The key is the last credential of the workspace that has ``admin``."""

    english = "The key is the last admin credential of the workspace"
    arabic = "هذا المفتاح هو آخر مفتاح إدارة في مساحة العمل"

    def __init__(self) -> None:
        super().__init__(
            "The key is the last admin credential of the workspace. To revoke it anyway, "
            "repeat the request with lastAdmin=true",
            lastAdmin=True,
        )


class StillRunning(Conflict):
    """The request with this Idempotency-Key is still running."""

    english = "A request with this Idempotency-Key is still running"
    arabic = "لا يزال طلب بمفتاح Idempotency-Key هذا قيد التنفيذ"

    def __init__(self, deletion_id: str | None = None) -> None:
        super().__init__()
        self.deletion_id = deletion_id


class SelectionChanged(Conflict):
    """The links that match differ from those of the confirmation token."""

    english = "The matching links have changed since the dry run"
    arabic = "تغيرت الروابط المطابقة منذ التشغيل التجريبي"


class MethodNotAllowed(UnlinkError):
    """The route exists, but not with this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    english = "Method not allowed"
    arabic = "الطريقة غير مسموح بها"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class BodyTooLarge(UnlinkError):
    """The body is larger than the route takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    english = "Request body too large"
    arabic = "حجم الطلب كبير جدًا"


class KeyReused(UnlinkError):
    """The Idempotency-Key was used before with another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    english = "Idempotency-Key was used with a different request"
    arabic = "استُخدم مفتاح Idempotency-Key مع طلب مختلف"


class RateLimited(UnlinkError):
    """The key's minute window is full.

    ``retry_after`` is the seconds left in it, ``reset`` its end in Unix seconds.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    english = "Rate limit exceeded"
    arabic = "تم تجاوز حد المعدل"

    def __init__(self, retry_after: int, *, reset: int) -> None:
        super().__init__(retryAfter=retry_after)
        self.retry_after = retry_after
        self.reset = reset

    def to_linkforty(self) -> ErrorBody:
        sentence = f"Rate limit exceeded. Try again in {self.retry_after} seconds."
        return self._linkforty_with(sentence)


class LimitReached(UnlinkError):
    """The workspace has reached a limit of its plan.

    ``limit`` is the plan's number, ``retry_after`` the seconds after which to try again.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    english = "Limit reached"
    arabic = "تم بلوغ الحد"

    def __init__(self, message: str, *, limit: int, retry_after: int) -> None:
        super().__init__(message, limit=limit, retryAfter=retry_after)


class InternalError(UnlinkError):
    """An unexpected error. The log has the details, the response has the request id."""


class Unavailable(UnlinkError):
    """An AWS service did not respond in time, after retries. Accepted work still completes."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    english = "Service temporarily unavailable"
    arabic = "الخدمة غير متاحة مؤقتًا"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, retryAfter=5)
