"""Writes the document: ``python -m functions.api.openapi FILE``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from functions.api.openapi.document import assemble, load_apis

if __name__ == "__main__":
    [path] = sys.argv[1:]
    text = json.dumps(assemble(load_apis()), ensure_ascii=False, separators=(",", ":"))
    Path(path).write_text(text, encoding="utf-8")
