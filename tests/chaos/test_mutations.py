"""Each mutation still fits the code that it changes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from local.emulator import ROOT
from tests.chaos.deployed_code import change_archive
from tests.chaos.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_replaces_its_module_in_the_archive(mutation: Mutation, tmp_path: Path) -> None:
    archive = tmp_path / "functions.zip"
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(mutation.file, source)

    change_archive(archive, mutation.file, mutation.changes)

    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    changed = (tmp_path / mutation.file).read_text(encoding="utf-8")
    assert changed != source
    assert all(new in changed for _, new in mutation.changes)
    assert list(tmp_path.rglob("*.pyc"))


def test_a_mutation_that_fits_no_more_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "functions.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(MUTATIONS[0].file, "nothing = 1")
    with pytest.raises(ValueError, match="does not have"):
        change_archive(archive, MUTATIONS[0].file, MUTATIONS[0].changes)
