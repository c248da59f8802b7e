"""The caller's rate limit: count a request, and report the state of the window."""

from __future__ import annotations

from functions import container
from functions.api.caller import Caller
from functions.aws.parallel import run_with_timeout
from functions.domain.clock import deadline
from functions.domain.errors import RateLimited, UnlinkError
from functions.domain.plans import Plan
from functions.powertools import Logger
from functions.repositories.access import RateWindow

#: How long to retry a failed count, and how long to wait for a slow one, in seconds. On timeout
#: the request is allowed, so a slow table must not disable rate limiting.
LIMITER_TIMEOUT = 0.5

LIMITER_WAIT = 5.0

log = Logger()


def count_request(caller: Caller) -> RateWindow | None:
    """Count the request. None if the counter does not respond; the request is then allowed.

    Raises ``RateLimited``.

    The limiter protects callers from each other. Refusing all of them during its outage would be
    the outage that it must prevent. The gateway's usage plan still shields the functions. Such a
    response has no rate headers, because no number would be true.
    """
    try:
        with deadline(LIMITER_TIMEOUT):
            return run_with_timeout(
                LIMITER_WAIT,
                lambda: container.access().count_request(caller.key_id, caller.plan),
            )
    except RateLimited:
        raise
    except UnlinkError:
        log.warning("the rate counter did not answer", extra={"keyId": caller.key_id})
        return None


def rate_headers(window: RateWindow, plan: Plan) -> dict[str, str]:
    """``X-RateLimit-*`` (reset in Unix seconds) and the IETF draft's ``RateLimit`` fields."""
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.reset),
        "RateLimit-Policy": f'"{plan.name}";q={window.limit};w=60',
        "RateLimit": f'"{plan.name}";r={window.remaining};t={window.seconds_left}',
    }
