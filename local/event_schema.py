"""Writes docs/events.schema.json, the schema of the events for consumers without a stack.

``python -m local.event_schema OPENAPI FILE`` takes it from the webhooks of the OpenAPI document.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def event_schema(document: dict[str, Any]) -> dict[str, Any]:
    """One JSON schema (2020-12) of all events, with the components that they refer to."""
    bodies = [each["post"]["requestBody"]["content"] for each in document["webhooks"].values()]
    found: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of Unlink",
        "oneOf": [body["application/json"]["schema"] for body in bodies],
        "$defs": {},
    }
    while missing := _references(found) - set(found["$defs"]):
        found["$defs"] |= {name: document["components"]["schemas"][name] for name in missing}
    found["$defs"] = dict(sorted(found["$defs"].items()))
    text = json.dumps(found).replace("#/components/schemas/", "#/$defs/")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _references(schema: dict[str, Any]) -> set[str]:
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)))


if __name__ == "__main__":
    source, path = map(Path, sys.argv[1:])
    schema = event_schema(json.loads(source.read_text(encoding="utf-8")))
    path.write_text(json.dumps(schema, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
