"""The routes of `functions/api/routes.json`, by method and path."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = Path(__file__).parents[2] / "functions/api/routes.json"


def _routes(kind: str) -> dict[tuple[str, str], str]:
    groups: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))[kind]
    found = {}
    for function, routes in groups.items():
        for route in routes:
            method, path = route.split(" ")
            assert (method, path) not in found, f"{route} is listed twice"
            found[method, path] = function
    return found


#: (method, path) -> the function. The keyed ones need an API key or a session.
KEYED, OPEN = _routes("keyed"), _routes("open")
ROUTES = KEYED | OPEN

#: Path -> the function for its other methods: that of GET if there is one.
CATCH_ALLS = {path: function for (_, path), function in ROUTES.items()}
CATCH_ALLS |= {path: function for (method, path), function in ROUTES.items() if method == "GET"}
#: The redirect function handles visits only.
CATCH_ALLS |= dict.fromkeys(("/", "/{code}", "/{code}/{rest+}"), "pages")
