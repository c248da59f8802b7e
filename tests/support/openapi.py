"""The OpenAPI document, generated from the code as in packaging."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.synthesis import hash_of, remembered

ROOT = Path(__file__).resolve().parents[2]

#: What the generator imports and the functions' sources do not contain.
LIBRARIES = ("aws-lambda-powertools", "pydantic", "pydantic-core", "PyYAML", "typing-extensions")


@cache
def openapi_document() -> dict[str, Any]:
    """The document, read once per process. Treat it as read-only.

    It is made once for the same sources of the functions and the same libraries.
    """
    document: dict[str, Any] = remembered(document_key(), _made)
    return document


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Each operation by its method and path, with the parameters of its path. Read-only."""
    return {
        (method.upper(), path): operation
        | {"parameters": item.get("parameters", []) + operation.get("parameters", [])}
        for path, item in openapi_document()["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def document_key() -> str:
    sources = (each for each in (ROOT / "functions").rglob("*") if each.is_file())
    files = [each for each in sources if each.suffix != ".pyc"]
    return f"openapi-{hash_of(files, LIBRARIES, ROOT)[:32]}"


def _made() -> dict[str, Any]:
    # The generator imports every function, so only the tests that need it import it.
    from functions.api.openapi.document import assemble, load_apis

    return assemble(load_apis())


@pytest.fixture
def packaged_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document where the `pages` function looks for it; only the archive holds it there."""
    from functions.api import docs_page

    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(openapi_document()), encoding="utf-8")
    monkeypatch.setattr(docs_page, "DOCUMENT", path)
    return path
