"""Deploys changed copies of the packaged functions to a running local stack."""

from __future__ import annotations

import contextlib
import importlib.util
import py_compile
import shutil
import tempfile
import uuid
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.packaging import Target, build_archive
from local.stack import LocalStack
from tests.chaos.mutations import Mutation

#: The alias that API, queues, streams and schedules invoke.
_ALIAS = "live"
_BUCKET = "mutations"


class DeployedCode:
    """The functions of a stack, by handler, and the archive that they run."""

    def __init__(self, stack: LocalStack) -> None:
        self._lambda: Any = stack.client("lambda")
        self._s3: Any = stack.client("s3")
        self._s3.create_bucket(Bucket=_BUCKET)
        self._archive, _ = build_archive(Target.host())
        pages = self._lambda.get_paginator("list_functions").paginate()
        found = [each for page in pages for each in page["Functions"]]
        self._functions = {
            each["Handler"].split(".")[-2]: each["FunctionName"]
            for each in found
            if each.get("Handler", "").startswith("functions.handlers.")
        }

    @contextlib.contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """The stack with this mutation, and without it afterwards."""
        key = f"{uuid.uuid4()}.zip"
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "functions.zip"
            shutil.copyfile(self._archive, archive)
            change_archive(archive, mutation.file, mutation.changes)
            self._s3.upload_file(str(archive), _BUCKET, key)
        before = {}
        for name in (self._functions[each] for each in mutation.handlers):
            alias = self._lambda.get_alias(FunctionName=name, Name=_ALIAS)
            before[name] = alias["FunctionVersion"]
            made = self._lambda.update_function_code(
                FunctionName=name, S3Bucket=_BUCKET, S3Key=key, Publish=True
            )
            self._point(name, made["Version"])
        try:
            yield
        finally:
            for name, version in before.items():
                self._point(name, version)

    def _point(self, function: str, version: str) -> None:
        self._lambda.update_alias(FunctionName=function, Name=_ALIAS, FunctionVersion=version)


def change_archive(archive: Path, file: str, changes: Sequence[tuple[str, str]]) -> None:
    """Replace texts of a module in an archive, and the module's bytecode.

    Raises ``ValueError`` unless each replaced text occurs exactly once: then the code has changed,
    and the change with it.
    """
    with zipfile.ZipFile(archive) as packed:
        source = packed.read(file).decode()
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"{file} does not have {old!r} once")
        source = source.replace(old, new)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        # A second entry of the same name replaces the first when it is unpacked.
        warnings.simplefilter("ignore", UserWarning)
        module, compiled = Path(scratch) / "module.py", Path(scratch) / "module.pyc"
        module.write_text(source, encoding="utf-8")
        py_compile.compile(
            str(module),
            cfile=str(compiled),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        bytecode = importlib.util.cache_from_source(file)
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as packed:
            packed.write(module, file)
            packed.write(compiled, bytecode)
