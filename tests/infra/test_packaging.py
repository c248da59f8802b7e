"""The Lambda archive: its content, its target machine, and its cache."""

import ast
import json
import os
import re
import struct
import subprocess
import sys
import time
import zipfile
from importlib import import_module
from pathlib import Path

import botocore
import pytest
import zopfli.gzip

from infra import packaging
from infra.packaging import (
    LAMBDA_ARM64,
    Target,
    build_archive,
    install_dependencies,
)
from infra.service_models import OPERATIONS
from tests.support.openapi import openapi_document

#: It has no types.
crawleruseragents = import_module("crawleruseragents")

pytestmark = pytest.mark.exhaustive

#: `e_machine` of 64-bit ARM (ELF for the Arm 64-bit Architecture, section "ELF header").
EM_AARCH64 = 183

#: An expression whose value is an AWS client.
A_CLIENT = re.compile(r"(\w+\.)*_?client(\(.*\))?")


def test_the_archive_has_every_operation_that_is_called_and_no_other() -> None:
    called = {
        node.attr
        for source in (packaging.ROOT / "functions").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and A_CLIENT.fullmatch(ast.unparse(node.value))
    }
    packed = {
        botocore.xform_name(operation)
        for operations in OPERATIONS.values()
        for operation in operations
    }
    assert called - {"meta", "generate_presigned_url"} == packed


def test_the_archive_has_the_model_of_every_service_that_a_client_is_made_of() -> None:
    sources = (packaging.ROOT / "functions").rglob("*.py")
    made = {
        service
        for source in sources
        for service in re.findall(r'client\(\s*"([a-z0-9]+)"', source.read_text(encoding="utf-8"))
    }
    assert made == set(OPERATIONS)


@pytest.fixture(scope="module")
def host_archive() -> Path:
    return build_archive(Target.host())[0]


@pytest.fixture(scope="module")
def lambda_archive() -> Path:
    return build_archive(LAMBDA_ARM64)[0]


def test_dependencies_import_from_the_built_directory_alone() -> None:
    """In an isolated interpreter, without this environment and its metadata."""
    directory = install_dependencies(Target.host())
    program = f"""
import sys
sys.path[:] = [{str(directory)!r}] + [p for p in sys.path if "site-packages" not in p]
import aws_lambda_powertools.event_handler
import aws_lambda_powertools.event_handler.openapi.swagger_ui
import aws_lambda_powertools.utilities.batch
import boto3
import boto3.dynamodb.conditions
import pydantic
for service in {sorted(OPERATIONS)!r}:
    boto3.client(service, region_name="us-east-1")
for module in (boto3, pydantic, aws_lambda_powertools):
    assert module.__file__.startswith({str(directory)!r}), module.__file__
class Model(pydantic.BaseModel):
    id: int
assert Model.model_validate_json('{{"id": 1}}').id == 1
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True)


def test_the_archive_contains_the_functions_and_their_dependencies(lambda_archive: Path) -> None:
    names = set(zipfile.ZipFile(lambda_archive).namelist())
    assert {
        "functions/__init__.py",
        "functions/api/routes.json",
        "functions/domain/plans.json",
        "boto3/__init__.py",
        "pydantic/__init__.py",
        "aws_lambda_powertools/__init__.py",
    } <= names
    assert not [name for name in names if name.startswith("functions/") and "require" in name]


def test_the_archive_contains_the_document_of_the_api(lambda_archive: Path) -> None:
    with zipfile.ZipFile(lambda_archive) as archive:
        assert json.loads(archive.read(packaging.OPENAPI)) == openapi_document()


def test_the_archive_keeps_only_the_services_that_are_called(lambda_archive: Path) -> None:
    data = {
        parts[2]
        for name in zipfile.ZipFile(lambda_archive).namelist()
        if len(parts := name.split("/")) > 3 and parts[:2] == ["botocore", "data"]
    }
    assert data == set(OPERATIONS)


def test_packed_clients_equal_botocores_except_for_documentation() -> None:
    """The operations that are called, with their shapes, and the endpoints of their services."""
    program = """
import json, sys
sys.path.insert(0, sys.argv[1])
import botocore.session

OPERATIONS = json.loads(sys.argv[2])
REGIONS = ("us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "xx-unknown-9")

def bare(value):
    if isinstance(value, dict):
        return {
            name: "" if name == "documentation" and isinstance(each, str) else bare(each)
            for name, each in value.items()
        }
    return [bare(each) for each in value] if isinstance(value, list) else value

session = botocore.session.get_session()
session.set_credentials("x", "x")
seen = {}
for service, names in OPERATIONS.items():
    model = session.get_service_model(service)
    seen[service] = [bare(model.metadata), model.signature_version]
    for name in names:
        # A model reads its shapes when it is asked for them, and names them by their references.
        operation = model.operation_model(name)
        shapes = {}
        waiting = [operation.input_shape, operation.output_shape, *operation.error_shapes]
        while waiting:
            shape = waiting.pop()
            if shape is None or shape.name in shapes:
                continue
            shapes[shape.name] = bare(model._service_description["shapes"][shape.name])
            waiting += getattr(shape, "members", {}).values()
            waiting += [getattr(shape, part, None) for part in ("member", "key", "value")]
        seen[service] += [bare(operation._operation_model), shapes]
    for region in REGIONS:
        client = session.create_client(service, region_name=region)
        meta = client.meta
        seen[f"{service} {region}"] = [meta.endpoint_url, meta.service_model.api_version]
client = session.create_client("s3", region_name="eu-central-1")
seen["presigned"] = client.generate_presigned_url(
    "get_object", Params={"Bucket": "b", "Key": "k"}
).partition("?")[0]
print(json.dumps([botocore.__file__, seen], sort_keys=True))
"""

    wanted = json.dumps({service: sorted(names) for service, names in OPERATIONS.items()})

    def seen_with(directory: Path) -> tuple[str, object]:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program, str(directory), wanted],
            check=True,
            capture_output=True,
            text=True,
        )
        file, seen = json.loads(done.stdout)
        return file, seen

    packed = install_dependencies(Target.host())
    whole = Path(botocore.__file__).parent.parent
    packed_file, packed_seen = seen_with(packed)
    whole_file, whole_seen = seen_with(whole)
    assert packed_file != whole_file
    assert packed_seen == whole_seen


def test_service_models_are_packed_without_what_is_not_read(lambda_archive: Path) -> None:
    """The first client of a process parses a model whole."""
    with zipfile.ZipFile(lambda_archive) as archive:
        models = [name for name in archive.namelist() if name.endswith("service-2.json")]
        assert len(models) >= len(OPERATIONS)
        for name in models:
            assert archive.getinfo(name).file_size < 60_000
        assert archive.getinfo("botocore/data/endpoints.json").file_size < 50_000


def test_the_list_of_crawlers_is_packed_without_its_examples(lambda_archive: Path) -> None:
    with zipfile.ZipFile(lambda_archive) as archive:
        packed = json.loads(archive.read("crawleruseragents/crawler-user-agents.json"))
    assert packed == [
        {"pattern": each["pattern"]} for each in crawleruseragents.CRAWLER_USER_AGENTS_DATA
    ]


def test_compiled_code_is_for_lambda_on_every_build_machine(lambda_archive: Path) -> None:
    with zipfile.ZipFile(lambda_archive) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
        assert libraries
        for name in libraries:
            # Or for any Python from a version on (PEP 384).
            assert "cpython-313-aarch64" in name or name.endswith(".abi3.so")
            assert struct.unpack_from("<H", archive.read(name), 18) == (EM_AARCH64,)


def test_bytecode_is_packed_only_for_the_same_interpreter(
    host_archive: Path, lambda_archive: Path
) -> None:
    tag = f".cpython-{sys.version_info.major}{sys.version_info.minor}.pyc"
    compiled = [n for n in zipfile.ZipFile(host_archive).namelist() if n.endswith(".pyc")]
    assert f"functions/__pycache__/__init__{tag}" in compiled
    assert {name[name.index(".cpython") :] for name in compiled} == {tag}
    if Target.host().python != LAMBDA_ARM64.python:
        names = zipfile.ZipFile(lambda_archive).namelist()
        assert not [name for name in names if name.endswith(".pyc")]


def test_bytecode_does_not_depend_on_times(host_archive: Path) -> None:
    """The flags of a hash-based, unchecked .pyc are 0b01 (PEP 552)."""
    with zipfile.ZipFile(host_archive) as archive:
        for name in archive.namelist():
            if name.endswith(".pyc"):
                assert struct.unpack_from("<I", archive.read(name), 4) == (0b01,)


def test_archive_entries_have_fixed_times_and_modes(lambda_archive: Path) -> None:
    entries = zipfile.ZipFile(lambda_archive).infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.external_attr >> 16) & 0o444 for entry in entries} == {0o444}
    assert len({entry.filename for entry in entries}) == len(entries)


def test_a_second_build_installs_and_compresses_nothing(
    host_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(zopfli.gzip, "compress", refuse)
    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    assert build_archive(Target.host())[0] == host_archive


def test_old_builds_are_removed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_target: Target, directory: Path) -> None:
        (directory / "botocore" / "data").mkdir(parents=True)
        (directory / "botocore" / "data" / "endpoints.json").write_text('{"partitions": []}')

    monkeypatch.setattr(packaging, "BUILD", tmp_path)
    monkeypatch.setattr(packaging, "_install", install)
    name = Target.host().name
    old, young = tmp_path / f"{name}-old", tmp_path / f"{name}-young"
    other = tmp_path / "another-target-old"
    for directory in (old, young, other):
        directory.mkdir()
        (directory / "file").touch()
    archive = tmp_path / f"{name}-old-content.zip"
    archive.touch()
    long_ago = time.time() - packaging.STALE_SECONDS - 60
    for path in (old, other, archive):
        os.utime(path, (long_ago, long_ago))

    built = install_dependencies(Target.host())

    assert {path.name for path in tmp_path.iterdir()} == {
        built.name,
        f"{built.name}.zip",
        young.name,
        other.name,
    }


def test_a_token_can_be_verified_with_what_is_packed(host_archive: Path, tmp_path: Path) -> None:
    """Some of what cryptography names as its dependencies is left out."""
    with zipfile.ZipFile(host_archive) as archive:
        archive.extractall(tmp_path)
    program = (
        "import jwt; from cryptography.hazmat.primitives.asymmetric import rsa;"
        "key = rsa.generate_private_key(public_exponent=65537, key_size=2048);"
        "token = jwt.encode({'sub': 'a'}, key, algorithm='RS256');"
        "print(jwt.decode(token, key.public_key(), algorithms=['RS256'])['sub'], jwt.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {program}"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["a", str(tmp_path / "jwt" / "__init__.py")]


def test_the_archive_is_small_enough_to_start_quickly(lambda_archive: Path) -> None:
    """Lambda's own limit, 250 MB unpacked, is far away; a cold start pays for each MB."""
    with zipfile.ZipFile(lambda_archive) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) < 40_000_000
    # Half of it is cryptography, which only session tokens need and only they import.
    assert lambda_archive.stat().st_size < 12_000_000
