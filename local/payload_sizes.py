"""API Gateway's and Lambda's limits on the size of requests and responses."""

from __future__ import annotations

import json

from local.gateway_responses import Headers, Response

GATEWAY_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request body that API Gateway accepts (REST API quotas)."""
LAMBDA_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's event, and of its response (Lambda quotas)."""

_EVENT_OVERHEAD = 4 * 1024
"""Bytes of an event without its body and headers: request context, paths, parameters."""
_SURELY_SMALL = 512 * 1024
"""Bytes that stay under Lambda's limit with any escapes in JSON: six for one at most."""


def event_size(headers: Headers, body: bytes, target: str) -> int:
    """Bytes of the event of a request, as Lambda counts them.

    Headers and query are in it twice (single and multi-value), the path three times. The body is
    base64, because the API declares every media type binary.
    """
    fields = sum(len(json.dumps(name)) + len(json.dumps(value)) + 2 for name, value in headers)
    base64_body = 4 * ((len(body) + 2) // 3)
    return base64_body + 2 * fields + 3 * len(json.dumps(target)) + _EVENT_OVERHEAD


def response_size(response: Response) -> int:
    """Bytes of what a function returned for a response, as Lambda counts them.

    Text is a JSON string there, in which each quotation mark takes another byte; anything else is
    base64. The Python runtimes from 3.12 on leave characters beyond ASCII as they are.
    """
    headers = [[name, [value]] for name, value in response.headers]
    try:
        body = json.dumps(response.body.decode(), ensure_ascii=False).encode()
        size = len(body)
    except UnicodeDecodeError:
        size = 4 * ((len(response.body) + 2) // 3)
    return size + len(json.dumps({"statusCode": response.status, "multiValueHeaders": headers}))


def event_fits(headers: Headers, body: bytes, target: str) -> bool:
    """Whether Lambda takes the event of a request."""
    return len(body) <= _SURELY_SMALL or event_size(headers, body, target) <= LAMBDA_PAYLOAD_LIMIT


def response_fits(response: Response) -> bool:
    """Whether Lambda takes what a function returned for a response."""
    return len(response.body) <= _SURELY_SMALL or response_size(response) <= LAMBDA_PAYLOAD_LIMIT
