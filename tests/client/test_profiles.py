"""Profiles: which service and which key, stored by `login` or given by the environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.client.conftest import Run
from tests.client.fake_service import KEY, FakeUnlink, served


def test_a_profile_is_stored_for_its_owner_only(
    service: FakeUnlink,
    environment: dict[str, str],
    unlinkctl: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.add(1, shortCode="mine")
    monkeypatch.delenv("UNLINK_API_KEY")
    monkeypatch.delenv("UNLINK_URL")
    ran = unlinkctl("list")
    assert ran.code == 2
    assert "unlinkctl login" in ran.err
    ran = unlinkctl("login", "--profile", "acme", "--url", service.url, stdin=f"{KEY}\n".encode())
    assert ran.code == 0, ran.err
    assert KEY not in ran.out + ran.err
    (path,) = Path(environment["XDG_CONFIG_HOME"]).rglob("profiles.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["profiles"] == {"acme": {"url": service.url, "key": KEY}}
    assert "mine" in unlinkctl("list").out
    assert "mine" in unlinkctl("--profile", "acme", "list").out
    ran = unlinkctl("--profile", "other", "list")
    assert ran.code == 2
    assert "--profile other" in ran.err


def test_the_environment_overrides_the_profile(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlinkctl("login", "--url", service.url, stdin=f"{KEY}\n".encode())
    monkeypatch.setenv("UNLINK_API_KEY", "another")
    ran = unlinkctl("list")
    assert ran.code == 6
    assert "UNLINK_API_KEY is used before a stored one" in ran.err


def test_a_command_says_that_the_environment_overrides_the_named_profile(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlinkctl("login", "--profile", "acme", "--url", service.url, stdin=f"{KEY}\n".encode())
    assert unlinkctl("--profile", "acme", "list").err == "No links.\n"
    monkeypatch.setenv("UNLINK_API_KEY", "another")
    ran = unlinkctl("--profile", "acme", "list")
    assert ran.err.startswith("The environment has another UNLINK_API_KEY than the profile acme")
    assert ran.code == 6


@pytest.mark.parametrize("named", [(), ("--profile", "acme")])
def test_a_stored_key_is_sent_to_no_other_service(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    unlinkctl("login", "--profile", "acme", "--url", service.url, stdin=f"{KEY}\n".encode())
    monkeypatch.delenv("UNLINK_API_KEY")
    with served(FakeUnlink()) as other:
        monkeypatch.setenv("UNLINK_URL", other.url)
        ran = unlinkctl(*named, "list")
        assert ran.code == 2
        assert ran.err.startswith(
            f"error: UNLINK_URL is {other.url}, and the key of profile acme is for {service.url}."
        )
        assert other.requests == []
    # The same service, spelled in another way.
    monkeypatch.setenv("UNLINK_URL", f"{service.url}/api/")
    ran = unlinkctl(*named, "list")
    assert (ran.code, ran.err) == (0, "No links.\n")


def test_public_keys_are_fetched_without_a_key(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNLINK_API_KEY")
    unlinkctl("verify", "-", stdin=b"a.b.c")
    [request] = service.requests
    assert request.path == "/.well-known/jwks.json"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("document", ["x", "[]", "{}", '{"profiles": []}'])
def test_a_file_without_profiles_is_named_and_not_overwritten(
    service: FakeUnlink,
    environment: dict[str, str],
    unlinkctl: Run,
    monkeypatch: pytest.MonkeyPatch,
    document: str,
) -> None:
    path = Path(environment["XDG_CONFIG_HOME"]) / "unlinkctl" / "profiles.json"
    path.parent.mkdir(parents=True)
    path.write_text(document)
    monkeypatch.delenv("UNLINK_API_KEY")
    for arguments in (("list",), ("login", "--url", service.url)):
        ran = unlinkctl(*arguments, stdin=f"{KEY}\n".encode())
        assert ran.code == 1
        assert f"error: Cannot read {path}" in ran.err
    assert path.read_text() == document


def test_a_key_is_kept_in_the_keyring_and_a_locked_one_is_an_error(
    service: FakeUnlink,
    environment: dict[str, str],
    unlinkctl: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class KeyringError(Exception):
        pass

    def locked(*_: str) -> None:
        raise KeyringError("it is locked")

    keys: dict[tuple[str, str], str] = {}
    keyring = SimpleNamespace(
        errors=SimpleNamespace(KeyringError=KeyringError),
        set_password=lambda app, name, key: keys.update({(app, name): key}),
        get_password=lambda app, name: keys.get((app, name)),
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.delenv("UNLINK_API_KEY")
    login = ("login", "--url", service.url, "--keyring")
    assert unlinkctl(*login, stdin=f"{KEY}\n".encode()).code == 0
    (path,) = Path(environment["XDG_CONFIG_HOME"]).rglob("profiles.json")
    assert KEY not in path.read_text()
    assert unlinkctl("list").code == 0
    keyring.set_password = keyring.get_password = locked
    for command in (login, ("list",)):
        ran = unlinkctl(*command, stdin=f"{KEY}\n".encode())
        assert (ran.code, ran.err) == (1, "error: Cannot use the keyring: it is locked\n")


def test_login_without_a_terminal_asks_for_the_option(unlinkctl: Run) -> None:
    ran = unlinkctl("login")
    assert (ran.code, ran.err.splitlines()[1]) == (2, "Give --url.")


@pytest.mark.parametrize(("key", "code"), [(b"wrong\n", 6), (b"", 2), (b"a b\n", 2)])
def test_a_key_that_does_not_work_is_not_stored(
    service: FakeUnlink, environment: dict[str, str], unlinkctl: Run, key: bytes, code: int
) -> None:
    assert unlinkctl("login", "--url", service.url, stdin=key).code == code
    assert list(Path(environment["XDG_CONFIG_HOME"]).rglob("*.json")) == []
