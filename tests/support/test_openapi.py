"""The OpenAPI document of a run: made once, and again for other sources or libraries."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from functions.api.openapi.document import assemble, load_apis
from tests.support import openapi

SOURCES = ("functions/api/openapi/base.yaml", "functions/api/routes.json", "functions/a.py")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(openapi, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.exhaustive
def test_the_remembered_document_is_what_the_sources_make() -> None:
    assert openapi.openapi_document() == json.loads(json.dumps(assemble(load_apis())))


@pytest.mark.parametrize("edited", SOURCES)
def test_an_edit_of_a_source_makes_a_new_document(project: Path, edited: str) -> None:
    before = openapi.document_key()
    assert openapi.document_key() == before
    (project / edited).write_text("after")
    assert openapi.document_key() != before


def test_a_new_source_makes_a_new_document_and_bytecode_does_not(project: Path) -> None:
    before = openapi.document_key()
    (project / "functions/a.cpython-311.pyc").write_text("compiled")
    assert openapi.document_key() == before
    (project / "functions/b.py").touch()
    assert openapi.document_key() != before


@pytest.mark.parametrize("library", openapi.LIBRARIES)
def test_another_version_of_a_library_makes_a_new_document(
    project: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    before, version = openapi.document_key(), metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0" if name == library else version(name))
    assert openapi.document_key() != before
