"""Synthesized templates in files, so that a run synthesizes each context once.

Synthesis starts Node and costs seconds of CPU. The workers of a run, and later runs, share the
files of `.build/templates`. The name of a file is a hash of everything that the template depends
on, so an edit of the stack never meets an old file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

Context = Mapping[str, str | bool]
Template = dict[str, Any]


class Assembly(TypedDict):
    """What a synthesis gives: the name of the main stack, and the rest by stack name.

    An error makes the CLI refuse to deploy its stack.
    """

    main: str
    templates: dict[str, Template]
    regions: dict[str, str]
    errors: dict[str, list[str]]


ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".build" / "templates"

_STALE_SECONDS = 7 * 86_400
_LIBRARIES = ("aws-cdk-lib", "constructs", "jsii")


def synthesize(stack_name: str | None = None, /, **context: str | bool) -> Template:
    """Return the template for a context such as `stage="dev"`; the caller owns the result.

    It is the main stack's, unless `stack_name` is another one of the app. Raises `ValueError` for a
    context that the app refuses.
    """
    found = assembly(**context)
    return found["templates"][stack_name or found["main"]]


def assembly(**context: str | bool) -> Assembly:
    """Return the whole assembly for a context. The functions' code is a stand-in, so nothing is
    packaged. Raises `ValueError` as above.
    """
    found: Assembly = remembered(_key(context), lambda: _fresh(context))
    return found


def remembered(key: str, make: Callable[[], Any]) -> Any:
    """The JSON that `make` returned for this key, in this run or an earlier one.

    What raises is never remembered.
    """
    path = CACHE / f"{key}.json"
    if not path.exists():
        with _lock(path.with_suffix(".lock")):
            # Another worker may have finished while this one waited for the lock.
            if not path.exists():
                _write(path, make())
    return json.loads(path.read_text(encoding="utf-8"))


def key_of_stack(*more: object) -> str:
    """A key that is new whenever the stack's code, its libraries or `more`, as JSON, is."""
    digest = hashlib.sha256(_inputs().encode())
    digest.update(json.dumps(more, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def _fresh(context: Context) -> Assembly:
    """Synthesize, and use no file.

    The first one of a process takes ten seconds, which load the CDK; the next ones take one.
    """
    from aws_cdk import App
    from aws_cdk import aws_lambda as lambda_

    from app import add_stack

    with tempfile.TemporaryDirectory() as scratch:
        app = App(outdir=str(Path(scratch, "out")), context=dict(context))
        stack = add_stack(app, code=lambda_.Code.from_asset(str(stand_in_code(Path(scratch)))))
        stacks = {each.stack_name: each for each in app.synth().stacks}
        return {
            "main": stack.stack_name,
            "templates": {
                name: json.loads(Path(each.template_full_path).read_text("utf-8"))
                for name, each in stacks.items()
            },
            "regions": {name: each.environment.region for name, each in stacks.items()},
            "errors": {
                name: [str(m.entry.data) for m in each.messages if m.level.name == "ERROR"]
                for name, each in stacks.items()
            },
        }


def stand_in_code(directory: Path) -> Path:
    """A directory in place of the archive of the functions."""
    code = directory / "code"
    code.mkdir()
    (code / "stand_in.py").write_text("", encoding="utf-8")
    return code


def _key(context: Context) -> str:
    return key_of_stack(dict(context))


@cache
def _inputs() -> str:
    """A hash of what every template depends on: the stack's code, its data, its libraries."""
    return hash_of(_files(), _LIBRARIES, ROOT)


def hash_of(files: Iterable[Path], libraries: Iterable[str], root: Path) -> str:
    """A hash of the files by name and content, of the libraries' versions and of Python's."""
    digest = hashlib.sha256(sys.version.encode())
    for library in libraries:
        digest.update(f"\0{library}=={metadata.version(library)}".encode())
    for path in sorted(files):
        digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    yield from (ROOT / "app.py", ROOT / "cdk.json", Path(__file__))
    for path in (ROOT / "infra").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
    # Plans and metrics are data that the stack shares with the functions.
    yield from (ROOT / "functions").rglob("*.json")


def _write(path: Path, made: Any) -> None:
    """Write a whole file or none: a reader takes no lock."""
    _drop_stale()
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _drop_stale() -> None:
    oldest = time.time() - _STALE_SECONDS
    for path in CACHE.iterdir():
        try:
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the file's lock; the system releases it when this process ends in any way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
