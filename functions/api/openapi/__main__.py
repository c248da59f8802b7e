"""Writes the document, or the schema of the events.

``python -m functions.api.openapi FILE`` and ``python -m functions.api.openapi --events FILE``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from functions.api.openapi.document import assemble, load_apis
from functions.api.openapi.events import event_schema

if __name__ == "__main__":
    *options, path = sys.argv[1:]
    document = assemble(load_apis())
    if options == ["--events"]:
        schema = event_schema(document["components"]["schemas"])
        text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
    else:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    Path(path).write_text(text, encoding="utf-8")
