"""``python -m functions.api.openapi FILE`` writes the document."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from functions.api.openapi.document import assemble, load_apis

if __name__ == "__main__":
    text = json.dumps(assemble(load_apis()), ensure_ascii=False, separators=(",", ":"))
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
