"""The events on the bus, as ``webhooks`` of the document and as a separate schema."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from functions.api.openapi.schemas import Schema, plain, reference
from functions.schemas.events import DeletionEvent, LinkEvent, RestoreEvent

SOURCE = "unlink"

#: Detail type -> when it is sent, the type of its detail, and what the detail always says.
EVENTS: dict[str, tuple[str, type, Schema]] = {
    "deletion.completed": ("A deletion is done.", DeletionEvent, {"state": {"const": "complete"}}),
    "deletion.failed": (
        "A deletion was given up. It deleted nothing.",
        DeletionEvent,
        {"state": {"const": "failed"}},
    ),
    "restore.completed": ("A restore is done.", RestoreEvent, {}),
    "link.soft_deleted": ("A link was soft-deleted.", LinkEvent, {}),
    "link.restored": ("A link was restored.", LinkEvent, {}),
    "link.erased": ("Everything of an erased link is gone.", LinkEvent, {}),
}

_TEXT: Schema = {"type": "string"}


def webhooks() -> dict[str, Any]:
    """What an API destination of the bus receives: each event as a POST."""
    return {name: {"post": _webhook(name)} for name in EVENTS}


def event_schema(schemas: dict[str, Any]) -> dict[str, Any]:
    """One JSON schema (2020-12) of all events. ``schemas`` are the components of the document."""
    details = {name: _event(name) for name in EVENTS}
    definitions: dict[str, Any] = {}
    referenced = _references(details)
    while referenced:
        name = referenced.pop()
        definitions[name] = schemas[name]
        referenced |= _references(schemas[name]) - set(definitions)
    text = json.dumps({"oneOf": [*details.values()], "$defs": dict(sorted(definitions.items()))})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of Unlink",
        **json.loads(text.replace("#/components/schemas/", "#/$defs/")),
    }


def _webhook(name: str) -> Schema:
    summary, detail, _ = EVENTS[name]
    words = re.findall("[a-z]+", name)
    return {
        "operationId": "on" + "".join(word.capitalize() for word in words),
        "tags": ["Events"],
        "summary": summary.removesuffix("."),
        "description": plain({"description": inspect.getdoc(detail)})["description"],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _event(name)}},
        },
        "responses": {
            "2XX": {"description": "Received within 5 seconds. A timeout, 429 or 5xx is repeated."}
        },
    }


def _event(name: str) -> Schema:
    """The event as EventBridge delivers it. The members next to ``detail`` are EventBridge's, which
    may add others (Amazon EventBridge User Guide, "AWS service event metadata")."""
    _, detail, always = EVENTS[name]
    members = {
        "version": _TEXT,
        "id": _TEXT,
        "detail-type": {"const": name},
        "source": {"const": SOURCE},
        "account": _TEXT,
        "time": {"type": "string", "format": "date-time"},
        "region": _TEXT,
        "resources": {"type": "array", "items": _TEXT},
        "detail": reference(detail) | ({"properties": always} if always else {}),
    }
    return {"type": "object", "properties": members, "required": list(members)}


def _references(schema: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)))
