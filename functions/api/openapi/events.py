"""The events on the bus, as ``webhooks`` of the document."""

from __future__ import annotations

import re

from functions.api.openapi.schemas import Schema, markdown, schema_of
from functions.schemas.events import EVENTS


def webhooks() -> Schema:
    """What an API destination of the bus receives: each event as a POST."""
    received = {"description": "Received within 5 seconds. A timeout, 429 or 5xx is repeated."}
    return {
        name: {
            "post": {
                "operationId": "on" + re.sub("[._]", "", name.title()),
                "tags": ["Events"],
                "summary": event.sent,
                "description": markdown(event.detail.__doc__),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _event(name)}},
                },
                "responses": {"2XX": received},
            }
        }
        for name, event in EVENTS.items()
    }


def _event(name: str) -> Schema:
    """The event as EventBridge delivers it. The members next to ``detail`` are EventBridge's, which
    may add others (Amazon EventBridge User Guide, "AWS service event metadata")."""
    state = EVENTS[name].state
    always: Schema = {"properties": {"state": {"const": state}}} if state else {}
    text = {"type": "string"}
    members: Schema = {
        "version": text,
        "id": text,
        "detail-type": {"const": name},
        "source": {"const": "unlink"},
        "account": text,
        "time": {"type": "string", "format": "date-time"},
        "region": text,
        "resources": {"type": "array", "items": text},
        "detail": schema_of(EVENTS[name].detail) | always,
    }
    return {"type": "object", "properties": members, "required": list(members)}
