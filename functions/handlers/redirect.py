"""``GET /{code}``: the redirect. It imports little, because visitors wait for its cold start."""

from __future__ import annotations

import time
from typing import Any

from functions import container
from functions.api import redirect_response as responses
from functions.domain.clock import deadline, now_iso
from functions.domain.errors import UnlinkError
from functions.domain.short_codes import SHORT_CODE
from functions.log import logger, set_gateway_request_id
from functions.services.visits import link_of

#: How long to look for the link, in seconds; a last call may take longer. The timeout is 10.
LINK_TIMEOUT = 6.0

log = logger()

#: Added to the log line of a process's first request: Lambda's own report of a cold start is not
#: written for this function.
_first_request = {"coldStart": True}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """302 to the destination, or the same 404 page for everything that does not redirect.

    HEAD returns GET's body: the gateway takes Content-Length from it and does not send it.
    """
    started = time.perf_counter()
    request_id = event["requestContext"]["requestId"]
    set_gateway_request_id(request_id)
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    code = (event.get("pathParameters") or {}).get("code", "")
    link = None
    try:
        with deadline(LINK_TIMEOUT):
            if SHORT_CODE.fullmatch(code):
                link = link_of(code, container.low_latency_links())
        if link is None or not link.redirects(now_iso()):
            response = responses.not_found_response(headers)
        else:
            response = responses.redirect_response(link, event, headers)
    except UnlinkError:
        log.exception("the link could not be read")
        response = responses.unavailable_response(headers)
    response["headers"]["X-Request-Id"] = request_id
    extra = {
        "status": response["statusCode"],
        "linkId": link.id if link else None,
        "durationMs": round((time.perf_counter() - started) * 1000, 1),
    }
    log.info("redirect", extra=extra | _first_request)
    _first_request.clear()
    return response


container.warm_up(container.low_latency_links, container.low_latency_clicks)
