"""An npm package is installed only if it is the archive whose hash is committed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

from local.emulator import ROOT


def test_every_npm_package_has_a_version_and_a_hash() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    del lock[""]
    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock[f"node_modules/{name}"]["version"] == version
    for path, locked in lock.items():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", locked["integrity"]), path
        assert "resolved" not in locked, path


def test_the_lock_has_no_address() -> None:
    assert "://" not in (ROOT / "package-lock.json").read_text(encoding="utf-8")


def test_another_archive_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    manifest = json.dumps({"name": "other", "version": "1.0.0"}).encode()
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    needed = {"devDependencies": {"other": "file:other.tgz"}}
    locked = {"version": "1.0.0", "resolved": "file:other.tgz", "integrity": f"sha512-{'A' * 86}=="}
    lock = {
        "name": "project",
        "lockfileVersion": 3,
        "packages": {"": needed, "node_modules/other": locked},
    }
    (tmp_path / "package.json").write_text(json.dumps({"name": "project"} | needed))
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    (tmp_path / ".npmrc").write_text((ROOT / ".npmrc").read_text(encoding="utf-8"))

    done = subprocess.run(
        ["npm", "ci", "--offline", f"--cache={tmp_path / 'cache'}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "EINTEGRITY" in done.stderr
    assert not (tmp_path / "node_modules" / "other").exists()


def test_no_script_of_a_package_runs_at_installation() -> None:
    settings = (ROOT / ".npmrc").read_text(encoding="utf-8").splitlines()
    assert "ignore-scripts=true" in settings


def test_make_installs_npm_packages_by_the_lock_only() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"npm (?:ci|i|install)\b.*", makefile)
    assert installs == [
        "npm install --package-lock-only --loglevel=error",
        "npm ci --loglevel=error",
    ]
