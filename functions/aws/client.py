"""The AWS clients, tuned once. botocore's own retries are off: see :mod:`functions.aws.calls`."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore

from functions.aws.fast_json import use_plain_json
from functions.aws.parallel import THREADS
from functions.aws.plain_requests import use_plain_requests
from functions.aws.session import Config, needs_rules, proxies, session_for
from functions.aws.signer import use_quick_signer

#: Connect and read timeouts in seconds. A call can hang for their sum. The sum is less than the
#: time that every function reserves at its end, so a call that starts just before the deadline does
#: not get the invocation killed. Both are shorter where a person waits.
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 3.0

BRIEF_CONNECT_TIMEOUT, BRIEF_READ_TIMEOUT = 0.5, 1.0

#: By default S3 clients sign URLs with the old signature for the global host. S3 redirects such a
#: URL to the bucket's region, where the signature is wrong (boto3 issue 2187). With an IP address
#: as the endpoint botocore keeps the bucket in the path. Without the last setting, parts of an
#: upload have a CRC32 although the upload was created without one.
_S3: dict[str, Any] = {
    "signature_version": "s3v4",
    "s3": {"addressing_style": "virtual"},
    "request_checksum_calculation": "when_required",
}


@cache
def client(
    service: str, *, connect_timeout: float = CONNECT_TIMEOUT, read_timeout: float = READ_TIMEOUT
) -> Any:
    """One client per service and process; timeouts in seconds.

    ``parameter_validation=False``: requests are built by this package, not by callers, and
    validation takes a third of the client CPU of a batch. Timeouts are short because a hanging call
    is retried. The session is botocore's, because importing boto3 (with its S3 transfer manager)
    takes as long again. ``user_agent`` is fixed, because botocore builds its own twice for each
    request.
    """
    session = session_for(service)
    new_client = session.create_client(
        service,
        config=Config(
            parameter_validation=False,
            max_pool_connections=THREADS,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            proxies=proxies(),
            **(_S3 if service == "s3" else {}),
            user_agent=f"unlink Botocore/{botocore.__version__}",
        ),
    )
    if service == "dynamodb":
        use_plain_json(new_client, names=needs_rules(session))
        use_quick_signer(new_client)
        use_plain_requests(new_client)
    return new_client


def low_latency_client(service: str) -> Any:
    """:func:`client` with short timeouts, for the redirect and the authorizer."""
    return client(service, connect_timeout=BRIEF_CONNECT_TIMEOUT, read_timeout=BRIEF_READ_TIMEOUT)
