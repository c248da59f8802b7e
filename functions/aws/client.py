"""The AWS clients, tuned once. botocore's own retries are off: see :mod:`functions.aws.calls`."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore
from botocore.config import Config
from botocore.session import get_session

from functions.aws.fast_json import use_plain_json
from functions.aws.parallel import THREADS

#: Seconds that a connection and an answer may take. Together they are what one call can hang: less
#: than what every function keeps back for its last words, so that one such call, begun just before
#: the deadline, gets no invocation killed. Where people wait for no more than an answer, both are
#: shorter.
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 3.0


BRIEF_CONNECT_TIMEOUT, BRIEF_READ_TIMEOUT = 0.5, 1.0


#: S3 clients otherwise sign URLs the old way, and for the global host: a URL that is signed for
#: another region is redirected there and refused (boto3 issue 2187). With an IP address as the
#: endpoint botocore keeps the bucket in the path. Without the last setting, parts of an upload
#: carry a CRC32 that the upload was not created with.
_S3: dict[str, Any] = {
    "signature_version": "s3v4",
    "s3": {"addressing_style": "virtual"},
    "request_checksum_calculation": "when_required",
}


@cache
def client(
    service: str, *, connect_timeout: float | None = None, read_timeout: float | None = None
) -> Any:
    """One client per service and process; timeouts in seconds.

    ``parameter_validation=False``: what is sent is built here, not by callers, and validation is
    a third of the client CPU of a batch. Timeouts are short because a call that hangs is retried.
    botocore's session and not boto3: importing boto3 (its S3 transfer manager) takes as long again.
    ``user_agent``: botocore's own is put together anew for each request, twice.
    """
    made = get_session().create_client(
        service,
        config=Config(
            parameter_validation=False,
            max_pool_connections=THREADS,
            connect_timeout=connect_timeout or CONNECT_TIMEOUT,
            read_timeout=read_timeout or READ_TIMEOUT,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            **(_S3 if service == "s3" else {}),
            user_agent=f"unlink Botocore/{botocore.__version__}",
        ),
    )
    if service == "dynamodb":
        use_plain_json(made)
    return made


def low_latency_client(service: str) -> Any:
    """:func:`client` for functions whose whole answer is a wait: the redirect, the authorizer."""
    return client(service, connect_timeout=BRIEF_CONNECT_TIMEOUT, read_timeout=BRIEF_READ_TIMEOUT)
