"""The event bus, for other systems that react to deletions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from functions.aws.calls import call, until_done
from functions.aws.codec import runs
from functions.aws.parallel import in_parallel

#: Entries of one PutEvents call (API limit).
EVENTS_BATCH = 10

SOURCE = "unlink"

#: Detail type and detail.
Event = tuple[str, Mapping[str, object]]


class EventBus:
    """An EventBridge bus. Events may be delivered twice; each has an id."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, events: Sequence[Event]) -> None:
        """Send ``(detail type, detail)`` pairs, ten a call; raises ``Unavailable``."""
        entries = [
            {
                "EventBusName": self.name,
                "Source": SOURCE,
                "DetailType": kind,
                "Detail": json.dumps(detail, separators=(",", ":")),
            }
            for kind, detail in events
        ]
        in_parallel(lambda some: until_done(self._put, some), list(runs(entries, EVENTS_BATCH)))

    def _put(self, entries: Sequence[dict[str, str]]) -> Sequence[dict[str, str]]:
        """Send these entries; returns those that failed."""
        response = call(self._client.put_events, Entries=entries)
        return [
            entry
            for entry, result in zip(entries, response["Entries"], strict=True)
            if "ErrorCode" in result
        ]
