"""How large an answer is for Lambda: its quota counts the JSON that a function returns.

An answer's body is a JSON string in that JSON, so each ``"`` of the body counts twice and each
``"`` inside one of its strings four times.
"""

from __future__ import annotations

import json

#: Bytes that a function may return (Lambda quotas, "Invocation payload": 6 MB, synchronous).
PAYLOAD_LIMIT = 6 * 1024 * 1024

#: Bytes kept for what is beside the body: status, headers, member names.
ENVELOPE = 16 * 1024

#: Bytes of a body as :func:`sent_size` counts them.
BODY_LIMIT = PAYLOAD_LIMIT - ENVELOPE


def sent_size(body: str) -> int:
    """Bytes that a body takes in what Lambda returns.

    The runtimes from Python 3.12 on keep characters beyond ASCII as they are, but escape U+2028 and
    U+2029 (awslambdaric/lambda_runtime_marshaller.py, which encodes by simplejson).
    """
    separators = body.count("\u2028") + body.count("\u2029")
    return len(json.dumps(body, ensure_ascii=False).encode()) + 3 * separators
