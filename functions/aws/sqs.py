"""SQS queues, for work that continues after the response."""

from __future__ import annotations

import json
from typing import Any

from functions.aws.calls import call


class Queue:
    """An SQS queue of JSON messages, each of which names its workspace as ``workspaceId``.

    The workspace is the message's group. On a standard queue that makes the queue fair: while one
    group takes more than its share of the workers' time, messages of the others are delivered first
    (SQS Developer Guide, "Amazon SQS fair queues"). It orders nothing and costs no throughput.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self.url = url

    def send(self, message: dict[str, Any], *, delay: int | None = None) -> None:
        """Send one message, to be delivered after ``delay`` seconds (at most 900).

        Without ``delay`` the queue's own delay applies.
        """
        own = {} if delay is None else {"DelaySeconds": delay}
        call(
            self._client.send_message,
            QueueUrl=self.url,
            MessageBody=json.dumps(message),
            MessageGroupId=message["workspaceId"],
            **own,
        )
