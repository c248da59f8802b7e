"""How a command ends: exit codes, and errors with hints.

=====  ================================================================
 code  meaning
=====  ================================================================
    0  done
    1  an error
    2  wrong usage: options, input, or no terminal to ask on
    3  declined at the prompt, or the confirmed count was another
    4  some ids were not deleted or restored, or rows not imported
    5  the plan is stale: other links match, or its hour is over
    6  not allowed: wrong key, or scopes that the key lacks
   75  try again later: rate limit, or the service is unavailable
  130  interrupted by Ctrl-C
=====  ================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from unlink_client.errors import (
    ApiError,
    CodeTaken,
    ConnectionFailed,
    InvalidIds,
    InvalidSettings,
    MissingScopes,
    NotFound,
    PlanIsInvalid,
    PlanIsStale,
    RateLimited,
    ReceiptIsInvalid,
    StillRunning,
    Unauthenticated,
    Unavailable,
    UnexpectedResponse,
    UnlinkError,
    WaitTimeout,
)

ERROR = 1
USAGE = 2
DECLINED = 3
NOT_ALL = 4
STALE = 5
NOT_ALLOWED = 6
TRY_LATER = 75
INTERRUPTED = 130

_CHECK_URL = "Check the URL: UNLINK_URL, or that of `unlinkctl login`."
_CHECK_SETTINGS = "Check UNLINK_URL and UNLINK_API_KEY, or what `unlinkctl login` stored."


class CommandError(Exception):
    """Ends the command: ``message`` says what is wrong, ``hint`` what can be done."""

    def __init__(self, message: str, *, code: int = ERROR, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


def command_error(error: UnlinkError) -> CommandError:
    """The exit code and message for an error of the client."""
    message = str(error)
    code, hint = _code_and_hint(error)
    if isinstance(error, InvalidIds):
        message = _named_ids(error)
    if isinstance(error, ApiError):
        known = [
            f"request {error.request_id}" if error.request_id else "",
            f"deletion {error.deletion_id}" if error.deletion_id else "",
        ]
        if error.status >= 500 and any(known):
            message += f" ({', '.join(filter(None, known))})"
    return CommandError(message, code=code, hint=hint)


#: Errors that always have the same hint.
_FIXED: dict[type[UnlinkError], tuple[int, str]] = {
    Unauthenticated: (
        NOT_ALLOWED,
        "The key is wrong, revoked or expired. UNLINK_API_KEY is used before a stored one.",
    ),
    PlanIsStale: (STALE, "Nothing was deleted. `unlinkctl plan` makes a new plan."),
    PlanIsInvalid: (ERROR, "Nothing was deleted."),
    ReceiptIsInvalid: (ERROR, "It proves nothing."),
    InvalidIds: (NOT_ALL, "Nothing was deleted: a soft delete is all or none."),
    InvalidSettings: (USAGE, _CHECK_SETTINGS),
    UnexpectedResponse: (ERROR, _CHECK_URL),
}


def _code_and_hint(error: UnlinkError) -> tuple[int, str]:
    if type(error) in _FIXED:
        return _FIXED[type(error)]
    match error:
        case MissingScopes():
            return NOT_ALLOWED, _forbidden(error)
        case RateLimited():
            return TRY_LATER, f"Try again in {error.retry_after or 60} s."
        case Unavailable() | ConnectionFailed() | StillRunning() | WaitTimeout():
            return TRY_LATER, _unavailable(error)
        case CodeTaken():
            return ERROR, _taken(error)
        case NotFound() if error.message in ("Not found", "Route not found"):
            return ERROR, _CHECK_URL
        case NotFound():
            return ERROR, "It does not exist, or is not one of this workspace."
        case _:
            return ERROR, ""


def _forbidden(error: MissingScopes) -> str:
    if not error.missing_scopes:
        return "The service's firewall, or a proxy, refused the request."
    return (
        "A key keeps its scopes: ask an administrator of the workspace for one that has "
        f"{' and '.join(error.missing_scopes)} "
        "(console: Keys; operators: python -m admin key issue)."
    )


def _unavailable(error: UnlinkError) -> str:
    if isinstance(error, ConnectionFailed):
        return "Is the URL right, and is the service up? What was accepted will still be done."
    return "What was accepted will still be done; try again later."


def _taken(error: CodeTaken) -> str:
    """What uses the taken code, as far as the service says."""
    hints = []
    for each in error.taken:
        name = each.short_code or each.external_id
        if each.taken_by == "trash":
            hints.append(
                f"{name} is in the trash: unlinkctl restore {each.deletion_id} --ids {each.link_id}"
            )
        elif each.taken_by == "quarantine" and each.available_from:
            hints.append(f"{name} is free again from {each.available_from:%Y-%m-%d %H:%M UTC}")
    return "; ".join(hints)


def _named_ids(error: InvalidIds) -> str:
    """The invalid ids; the first ones are listed."""
    parts = []
    if error.invalid_count:
        parts.append(f"not link ids ({error.invalid_count:,}): {some(error.invalid_ids)}")
    if error.unknown_count:
        parts.append(f"not live links ({error.unknown_count:,}): {some(error.unknown_ids)}")
    return "; ".join(parts) or str(error)


def some(ids: Sequence[str], shown: int = 5) -> str:
    """The first of many names."""
    more = ", …" if len(ids) > shown else ""
    return ", ".join(ids[:shown]) + more
