"""The wheel of `unlinkctl` that the stack serves."""

from __future__ import annotations

import email
import os
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from functions.api import client_wheel as served
from functions.handlers import pages
from infra import client_wheel
from infra.packaging import Target, build_archive
from unlink_client import __version__

CLIENT = Path(client_wheel.SOURCE)
NAME = f"unlinkctl-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return client_wheel.build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert wheel.name == NAME


def test_equal_sources_make_equal_wheels(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "client"
    shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for number, path in enumerate(copy.rglob("*")):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    monkeypatch.setattr(client_wheel, "SOURCE", copy)
    assert client_wheel.build_wheel(tmp_path / "out").read_bytes() == wheel.read_bytes()


def test_the_wheel_contains_the_package_its_licence_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = email.message_from_bytes(
            archive.read(f"unlinkctl-{__version__}.dist-info/METADATA")
        )
    package = {
        path.relative_to(CLIENT).as_posix()
        for path in client_wheel.wheel_sources()
        if "unlink_client" in path.parts
    }
    assert package < names
    assert {"unlink_client/py.typed", "unlink_client/cli/app.py"} < names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any("generate_sync" in name or "__pycache__" in name for name in names)
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra" not in each]
    assert [each.split(">")[0] for each in needed] == ["httpx2"]
    assert set(metadata.get_all("Provides-Extra", [])) == {"cli", "verify", "keyring"}


@pytest.mark.exhaustive
def test_the_archive_of_the_functions_contains_the_wheel(wheel: Path) -> None:
    archive, _ = build_archive(Target.host())
    with zipfile.ZipFile(archive) as packed:
        assert packed.read(f"functions/client/{NAME}") == wheel.read_bytes()


def _reply(name: str, **headers: str) -> dict[str, Any]:
    event = {
        "resource": "/api/docs/{asset}",
        "httpMethod": "GET",
        "headers": headers,
        "pathParameters": {"asset": name},
        "requestContext": {"requestId": "r-1", "path": f"/api/docs/{name}"},
    }
    return pages.handler(event, None)


def test_the_wheel_is_served_as_it_is(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    monkeypatch.setattr(served, "DIRECTORY", wheel.parent)
    served._wheels.cache_clear()
    try:
        reply = _reply(NAME, **{"Accept-Encoding": "gzip"})
        other = _reply("unlinkctl-9.9.9-py3-none-any.whl")
        path = _reply("../client/x.whl")
    finally:
        served._wheels.cache_clear()
    assert reply["statusCode"] == 200
    assert base64.b64decode(reply["body"]) == wheel.read_bytes()
    assert "Content-Encoding" not in reply["headers"]
    assert reply["headers"]["Content-Type"] == "application/octet-stream"
    assert (other["statusCode"], path["statusCode"]) == (404, 404)
