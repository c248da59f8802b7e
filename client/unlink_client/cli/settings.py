"""Which service and which key: the environment first, then a profile.

Profiles are in a file that only its owner may read. A key may be in the keyring instead (extra
``keyring``). A key is never an argument, because every process of the machine can read arguments.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs

from unlink_client.calls import base_url_of
from unlink_client.cli.exits import USAGE, CommandError

APP = "unlinkctl"

URL_VARIABLE = "UNLINK_URL"
KEY_VARIABLE = "UNLINK_API_KEY"
STATE_VARIABLE = "UNLINK_STATE_DIR"

#: Marks a profile whose key is in the keyring and not in the file.
_IN_KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class Settings:
    """One service and one key; ``source`` says where they come from.

    ``overridden`` are the variables of the environment that replace values of a profile which the
    command names.
    """

    url: str
    key: str
    source: str
    overridden: tuple[str, ...] = ()


def config_file() -> Path:
    """The file of the profiles."""
    return Path(platformdirs.user_config_dir(APP)) / "profiles.json"


def state_directory() -> Path:
    """Where unfinished deletions are kept."""
    given = os.environ.get(STATE_VARIABLE)
    return Path(given) if given else Path(platformdirs.user_state_dir(APP))


def load(profile: str | None) -> Settings:
    """The settings of this run; raises ``CommandError`` (2) when there are none.

    A stored key is sent only to the service that it was stored for.
    """
    url, key = os.environ.get(URL_VARIABLE, ""), os.environ.get(KEY_VARIABLE, "")
    url = url and base_url_of(url)
    if url and key and profile is None:
        return Settings(url, key, "the environment")
    name, found = _profile(profile)
    if found is None:
        if profile is not None:
            raise CommandError(
                f"There is no profile {profile!r}.",
                code=USAGE,
                hint=f"`unlinkctl login --profile {profile}` makes it.",
            )
        missing = [each for each, value in ((URL_VARIABLE, url), (KEY_VARIABLE, key)) if not value]
        raise CommandError(
            f"No service is configured: {' and '.join(missing)} not set, and no profile is stored.",
            code=USAGE,
            hint="`unlinkctl login` stores the URL and an API key.",
        )
    stored_url = str(found.get("url", ""))
    if url and not key and url != stored_url:
        raise CommandError(
            f"{URL_VARIABLE} is {url}, and the key of profile {name} is for {stored_url}.",
            code=USAGE,
            hint=f"Nothing was sent. Set {KEY_VARIABLE} too, or unset {URL_VARIABLE}.",
        )
    stored = str(found.get("key", ""))
    if found.get("keyIn") == _IN_KEYRING and not key:
        stored = _from_keyring(name)
    overridden = tuple(
        variable
        for variable, value, kept in ((URL_VARIABLE, url, stored_url), (KEY_VARIABLE, key, stored))
        if profile is not None and value and value != kept
    )
    return Settings(url or stored_url, key or stored, f"profile {name}", overridden)


def load_url(profile: str | None) -> str:
    """The URL of the service, for a command that sends no key."""
    return os.environ.get(URL_VARIABLE) or load(profile).url


def store(name: str, url: str, key: str, *, in_keyring: bool) -> Path:
    """Store a profile and make it the default; returns its file."""
    document = _read()
    entry: dict[str, Any] = {"url": url}
    if in_keyring:
        with _keyring() as keyring:
            keyring.set_password(APP, name, key)
        entry["keyIn"] = _IN_KEYRING
    else:
        entry["key"] = key
    document["profiles"][name] = entry
    document["default"] = name
    path = config_file()
    with writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise ``CommandError`` when the file cannot be written."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"Cannot write {path}: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears complete or not at all."""
    with private_file(path) as file:
        file.write(text.encode())


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file that only its owner may read; it appears complete at the end of the block, or not at
    all. A device or pipe, such as `/dev/stdout`, is written directly.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield device
        return
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _profile(name: str | None) -> tuple[str, dict[str, Any] | None]:
    document = _read()
    profile_name = name or str(document.get("default", "default"))
    found = document["profiles"].get(profile_name)
    return profile_name, found if isinstance(found, dict) else None


def _read() -> dict[str, Any]:
    path = config_file()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or not isinstance(document.get("profiles"), dict):
            raise TypeError("it has no profiles")
    except FileNotFoundError:
        return {"profiles": {}}
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(
            f"Cannot read {path}: {error}",
            hint="Remove it, and `unlinkctl login` writes a new one.",
        ) from None
    return document


@contextmanager
def _keyring() -> Iterator[Any]:
    """The package keyring; raises ``CommandError`` without it, or when the keyring fails."""
    try:
        keyring = import_module("keyring")
    except ModuleNotFoundError:
        raise CommandError(
            "The keyring needs the package keyring.", code=USAGE, hint="Install unlinkctl[keyring]."
        ) from None
    try:
        yield keyring
    except keyring.errors.KeyringError as error:
        raise CommandError(f"Cannot use the keyring: {error}") from None


def _from_keyring(name: str) -> str:
    with _keyring() as keyring:
        key = keyring.get_password(APP, name)
    if not key:
        raise CommandError(
            f"The keyring has no key of profile {name!r}.",
            code=USAGE,
            hint=f"`unlinkctl login --profile {name} --keyring` stores one.",
        )
    return str(key)
