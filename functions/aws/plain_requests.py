"""Takes work out of botocore's requests to DynamoDB that changes nothing in them.

A request has nine headers. botocore keeps them in an ``email.message.Message`` until it is sent,
encodes them by adding each a second time, and copies the eighteen into another mapping, where the
last of each name stays. That is a tenth of the CPU time of a small request.
"""

from __future__ import annotations

from typing import Any

from botocore.discovery import block_endpoint_discovery_required_operations
from botocore.handlers import BUILTIN_HANDLERS

#: botocore's handlers without an effect on the operations that the functions call, by name: the
#: tokens of transactions are given, and no operation has checksums or endpoint discovery. The last
#: one tells DynamoDB how often a request was tried, which is always once.
_IDLE = frozenset(
    {
        "generate_idempotent_uuid",
        "_handle_request_validation_mode_member",
        "inject_api_version_header_if_needed",
        "add_retry_headers",
    }
)


def use_plain_requests(client: Any) -> None:
    """Give this DynamoDB client plain headers, and no handlers that have nothing to do.

    The clients have one attempt (:mod:`functions.aws.calls` retries), so that handler always
    decides against another.
    """
    events = client.meta.events
    events.unregister("needs-retry.dynamodb", unique_id="retry-config-dynamodb")
    events.unregister("request-created.dynamodb", unique_id="seed-max-attempts-dynamodb")
    events.unregister("before-parameter-build", block_endpoint_discovery_required_operations)
    for event, handler, *_ in BUILTIN_HANDLERS:
        if getattr(handler, "__name__", "") in _IDLE:
            events.unregister(event, handler)
    # Before the handlers that sign, or that add and replace headers.
    events.register_first("request-created.dynamodb", _plain_headers)


class _Headers(dict[str, Any]):
    """Headers by their names as botocore writes them, each once."""

    def replace_header(self, name: str, value: str) -> None:
        """As :class:`email.message.Message` has it."""
        self[name] = value


def _plain_headers(request: Any, **_: Any) -> None:
    request.headers = _Headers(request.headers.items())
