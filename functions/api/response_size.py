"""The size of a response as Lambda counts it.

Lambda's quota is for the JSON that a function returns. The body is a JSON string inside that JSON.
So each ``"`` of the body counts twice, and each ``"`` inside one of its strings four times.
"""

from __future__ import annotations

import json

#: Bytes that a function may return (Lambda quotas, "Invocation payload": 6 MB, synchronous).
PAYLOAD_LIMIT = 6 * 1024 * 1024

#: Bytes reserved for the rest of the response: status, headers, member names.
ENVELOPE = 16 * 1024

#: Bytes of a body as :func:`sent_size` counts them.
BODY_LIMIT = PAYLOAD_LIMIT - ENVELOPE


def sent_size(body: str) -> int:
    """Bytes of a body in the JSON that Lambda returns.

    The runtimes from Python 3.12 on do not escape characters beyond ASCII, except U+2028 and U+2029
    (awslambdaric/lambda_runtime_marshaller.py, which encodes by simplejson).
    """
    separators = body.count("\u2028") + body.count("\u2029")
    return len(json.dumps(body, ensure_ascii=False).encode()) + 3 * separators
