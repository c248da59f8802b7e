"""Packages `functions/` with its dependencies for AWS Lambda, from wheels and without Docker.

All functions share one archive. The installed dependencies are cached in `.build/`, keyed by
everything that determines their content, so only the first synthesis installs them.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING

from infra import client_wheel, service_models
from infra.client_wheel import build_wheel, wheel_sources
from infra.console import ARCHIVE_DIRECTORY, console_files, console_texts
from infra.service_models import prune_service_models

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "functions"
REQUIREMENTS = SOURCE / "requirements.txt"
BUILD = ROOT / ".build"

#: The API's document in the archive. It is made from the sources, so their hash names it too.
OPENAPI = "functions/api/openapi.json"

#: Where Lambda unpacks the archive; tracebacks name files under it.
TASK_ROOT = "/var/task"

#: Directories that are never imported. cryptography needs only the compiled part of cffi, and not
#: its C parser.
DEAD_WEIGHT = ("**/tests", "boto3/examples", "bin", "cffi", "pycparser", "**/__pycache__")

STALE_SECONDS = 3_600


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the wheels must run on.

    `platforms` are the tags that pip may choose from; without any it takes the host's.
    """

    python: str
    platforms: tuple[str, ...] = ()

    @classmethod
    def host(cls) -> Target:
        """This machine and interpreter: for an emulator that runs functions on the host."""
        return cls(python=_running_python())

    @property
    def name(self) -> str:
        platform = self.platforms[0] if self.platforms else sysconfig.get_platform()
        return f"{platform}-{self.python}"


#: AWS Lambda on Graviton. Its python3.13 runtime is Amazon Linux 2023 with glibc 2.34, so wheels
#: for glibc 2.17 and 2.28 both run.
LAMBDA_ARM64 = Target(python="3.13", platforms=("manylinux2014_aarch64", "manylinux_2_28_aarch64"))


def function_code(target: Target) -> lambda_.AssetCode:
    """The archive of all functions for `target`, as a CDK asset.

    The asset's hash is the hash of the inputs, not of the archive: compiled bytecode and zlib's
    output may differ between machines that packed the same content.
    """
    # Importing the CDK starts Node, which building an archive does not need.
    from aws_cdk import aws_lambda as lambda_

    archive, content_hash = build_archive(target)
    return lambda_.Code.from_asset(str(archive), asset_hash=content_hash)


def build_archive(target: Target) -> tuple[Path, str]:
    """Return the archive of the functions, the console, the client and dependencies, and its
    hash.
    """
    dependencies = install_dependencies(target)
    sources = sorted(_sources())
    digest = hashlib.sha256(dependencies.name.encode())
    for path in (*sources, *wheel_sources()):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name, text in sorted(console_texts().items()):
        digest.update(f"{ARCHIVE_DIRECTORY}/{name}\0".encode())
        digest.update(hashlib.sha256(text.encode()).digest())
    content_hash = digest.hexdigest()

    archive = BUILD / f"{dependencies.name}-{content_hash[:16]}.zip"
    if not archive.exists():
        _drop_stale(f"{dependencies.name}-*.zip")
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            staged = Path(scratch) / "content"
            for path in sources:
                copy = staged / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            _write_openapi(staged / OPENAPI)
            build_wheel(staged / client_wheel.ARCHIVE_DIRECTORY)
            for name, content in console_files().items():
                asset = staged / ARCHIVE_DIRECTORY / name
                asset.parent.mkdir(parents=True, exist_ok=True)
                asset.write_bytes(content)
            _precompile(staged, target)
            # The dependencies are already compressed; only the functions are added to them.
            packed = Path(scratch) / "packed.zip"
            shutil.copyfile(_packed(dependencies), packed)
            _add_to_archive(packed, staged)
            packed.replace(archive)
    return archive, content_hash


def install_dependencies(target: Target) -> Path:
    """Return a directory with the pinned dependencies of the functions, installed if need be."""
    key = hashlib.sha256(
        b"\0".join(
            [
                target.name.encode(),
                b"with bytecode" if _can_compile_for(target) else b"without",
                REQUIREMENTS.read_bytes(),
                # These files decide what is kept.
                Path(__file__).read_bytes(),
                Path(service_models.__file__).read_bytes(),
            ]
        )
    ).hexdigest()
    directory = BUILD / f"{target.name}-{key[:16]}"
    if not directory.exists():
        BUILD.mkdir(exist_ok=True)
        _drop_stale(f"{target.name}-*")
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            fresh = Path(scratch) / "dependencies"
            _install(target, fresh)
            _prune(fresh)
            _precompile(fresh, target)
            _add_to_archive(Path(scratch) / "packed.zip", fresh)
            # The directory is created last, so it exists only after a complete build.
            (Path(scratch) / "packed.zip").replace(_packed(directory))
            try:
                fresh.replace(directory)
            except OSError:
                # Another process has built the same in the meantime.
                if not directory.exists():
                    raise
    return directory


def _packed(dependencies: Path) -> Path:
    return dependencies.with_name(f"{dependencies.name}.zip")


def _install(target: Target, directory: Path) -> None:
    for_another_machine = [f"--platform={platform}" for platform in target.platforms]
    if for_another_machine:
        for_another_machine += [f"--python-version={target.python}", "--implementation=cp"]
    subprocess.run(
        [
            sys.executable,
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--no-compile", "--only-binary=:all:", "--require-hashes"),
            *for_another_machine,
            f"--requirement={REQUIREMENTS}",
            f"--target={directory}",
        ],
        check=True,
        # The CDK CLI reads this program's standard output.
        stdout=sys.stderr,
    )


def _prune(directory: Path) -> None:
    """Remove what no function needs: a cold start fetches and unpacks the whole archive."""
    for pattern in DEAD_WEIGHT:
        for path in list(directory.glob(pattern)):
            shutil.rmtree(path)
    prune_service_models(directory / "botocore" / "data")
    # The first visit of a process reads this list: its patterns, and not the examples of each.
    for path in directory.glob("crawleruseragents/crawler-user-agents.json"):
        patterns = [{"pattern": each["pattern"]} for each in json.loads(path.read_text("utf-8"))]
        path.write_text(json.dumps(patterns), encoding="utf-8")
    # The functions import nothing that reads the metadata of its distribution; a test runs them
    # without it.
    for path in list(directory.glob("*.dist-info")):
        shutil.rmtree(path)


def _precompile(directory: Path, target: Target) -> None:
    """Add bytecode, which Lambda cannot store itself: its file system is read-only.

    Bytecode belongs to a minor version of Python. If this interpreter has another version than the
    target, none is added, and the functions compile their imports at each cold start. The
    `unchecked-hash` kind contains no modification time, which would differ in every build and which
    unpacking resets.
    """
    if _can_compile_for(target):
        compileall.compile_dir(
            directory,
            quiet=1,
            workers=0,
            stripdir=str(directory),
            prependdir=TASK_ROOT,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


def _add_to_archive(archive: Path, directory: Path) -> None:
    """Add the files of `directory`, in order, without times and owners."""
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(directory).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                # Lambda runs functions as another user, so everyone may read.
                entry.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
                file.writestr(entry, path.read_bytes())


def _sources() -> Iterator[Path]:
    """The files of `functions/`, including data, without those that only packaging needs."""
    for path in SOURCE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not _is_requirements(path):
            yield path


def _write_openapi(path: Path) -> None:
    """Write the API's document in a separate process, because this package imports no function."""
    subprocess.run(
        [sys.executable, "-m", "functions.api.openapi", str(path)],
        check=True,
        cwd=ROOT,
        # The CDK CLI reads this program's standard output.
        stdout=sys.stderr,
    )


def _is_requirements(path: Path) -> bool:
    return path.parent == SOURCE and path.name.startswith("requirements")


def _drop_stale(pattern: str) -> None:
    """Keep `.build` small; another synthesis may be using a recent entry."""
    for path in BUILD.glob(pattern):
        if time.time() - path.stat().st_mtime < STALE_SECONDS:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _can_compile_for(target: Target) -> bool:
    return target.python == _running_python()


def _running_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
