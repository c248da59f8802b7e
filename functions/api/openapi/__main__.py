"""``python -m functions.api.openapi FILE`` writes the document."""

import sys
from pathlib import Path

from functions.api.openapi.document import assemble, load_apis
from functions.api.response import to_json

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(to_json(assemble(load_apis())), encoding="utf-8")
