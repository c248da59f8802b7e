"""The OpenAPI document, generated from the code as in packaging."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@cache
def openapi_document() -> dict[str, Any]:
    """The document, made once per process. Treat it as read-only."""
    # The generator imports every function, so only the tests that need it import it.
    from functions.api.openapi.document import assemble, load_apis

    document: dict[str, Any] = json.loads(json.dumps(assemble(load_apis())))
    return document


@pytest.fixture
def packaged_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document where the `pages` function looks for it; only the archive holds it there."""
    from functions.api import docs_page

    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(openapi_document()), encoding="utf-8")
    monkeypatch.setattr(docs_page, "DOCUMENT", path)
    return path
