"""An npm package is installed only if it is the archive whose hash is committed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.emulator import ROOT
from local.npm_packages import IntegrityError, install, integrity_of

#: An npm that packs a fixed archive and notes what it was asked for.
NPM = """#!/bin/sh
echo "$@" >>"{log}"
name=$(echo "$2" | tr @ -)
case $1 in
  pack)
    for each; do
      case $each in --pack-destination=*) printf archive >"${{each#*=}}/$name.tgz" ;; esac
    done ;;
  install) mkdir -p node_modules; cp "$2" "$3" node_modules/ ;;
esac
"""


def integrity_of_archive(tmp_path: Path) -> str:
    """The hash of what the stand-in npm packs."""
    archive = tmp_path / "same.tgz"
    archive.write_bytes(b"archive")
    return integrity_of(archive)


def project(tmp_path: Path, integrity: str) -> tuple[Path, str, Path]:
    """A directory with a package.json, the npm to use, and npm's log."""
    root, log, npm = tmp_path / "root", tmp_path / "log", tmp_path / "npm"
    root.mkdir()
    package = {
        "devDependencies": {"aws-cdk": "1.2.3", "preact": "4.5.6"},
        "integrity": {"aws-cdk": integrity_of_archive(tmp_path), "preact": integrity},
    }
    (root / "package.json").write_text(json.dumps(package))
    npm.write_text(NPM.format(log=log))
    npm.chmod(0o755)
    return root, str(npm), log


def test_an_archive_with_the_pinned_hash_is_installed_without_scripts(tmp_path: Path) -> None:
    root, npm, log = project(tmp_path, integrity_of_archive(tmp_path))

    install(root, npm=npm)

    assert (root / "node_modules" / "aws-cdk-1.2.3.tgz").read_bytes() == b"archive"
    assert (root / "node_modules" / "preact-4.5.6.tgz").read_bytes() == b"archive"
    packed, other, installed = log.read_text().splitlines()
    assert packed.startswith("pack aws-cdk@1.2.3 ")
    assert other.startswith("pack preact@4.5.6 ")
    # All at once and from the archives that were checked: npm fetches nothing by name.
    assert re.match(r"install /\S+/aws-cdk-1\.2\.3\.tgz /\S+/preact-4\.5\.6\.tgz --", installed)
    assert "--ignore-scripts" in packed
    assert "--ignore-scripts" in other
    assert "--ignore-scripts" in installed


def test_another_archive_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    root, npm, log = project(tmp_path, "sha512-AAAA")

    with pytest.raises(IntegrityError, match="not the archive that"):
        install(root, npm=npm)

    assert not (root / "node_modules").exists()
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["pack", "pack"]


def test_the_hash_is_computed_as_npm_writes_it(tmp_path: Path) -> None:
    archive = tmp_path / "empty.tgz"
    archive.write_bytes(b"")
    assert integrity_of(archive) == (
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+"
        "SfaPg=="
    )


def test_every_npm_package_has_a_version_and_a_hash() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert package["integrity"].keys() == package["devDependencies"].keys()
    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"][name]), name


def test_make_installs_npm_packages_in_no_other_way() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "local/npm_packages.py" in makefile
    assert "npm install" not in makefile
