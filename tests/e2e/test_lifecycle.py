"""The stack on the emulator: deployed, changed, destroyed; the data is retained.

As in production the tables are retained; what only a real account shows (CodeDeploy's shift,
termination protection) is left out.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.packaging import Target, build_archive
from local import stack as local_stack
from local.emulator import Emulator
from tests.chaos.deployed_code import change_archive
from tests.support.synthesis import key_of_stack, remembered

BEFORE = "This link does not exist"
AFTER = "There is no such link"

#: By version of the functions' code: the texts of the assembly's files by name.
Assemblies = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(log_name="lifecycle") as running:
        running.client("s3").create_bucket(Bucket=local_stack._ASSET_BUCKET)
        running.client("ssm").put_parameter(
            Name=local_stack._BOOTSTRAP_PARAMETER,
            Type="String",
            Value=local_stack._BOOTSTRAP_VERSION,
        )
        yield running


def synthesized(archive: Path, *versions: str) -> Assemblies:
    """An assembly for each version of the archive, without the archive."""
    from aws_cdk import App
    from aws_cdk import aws_lambda as lambda_

    from infra.stack import UnlinkStack
    from infra.stages import settings_of

    settings = replace(
        settings_of({"stage": "local", "publicBaseUrl": "https://short.test"}),
        removal_policy="RETAIN",
    )
    assemblies: Assemblies = {}
    for version in versions:
        with tempfile.TemporaryDirectory() as scratch:
            app = App(outdir=scratch)
            code = lambda_.Code.from_asset(str(archive), asset_hash=version)
            UnlinkStack(app, "Unlink-local", settings=settings, code=code)
            directory = Path(app.synth().directory)
            local_stack.drop_metadata(directory)
            files = [each for each in directory.iterdir() if each.suffix != ".zip"]
            assemblies[version] = {each.name: each.read_text("utf-8") for each in files}
    return assemblies


def written(files: dict[str, str], archive: Path, directory: Path) -> Path:
    """The directory of an assembly with this archive."""
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")
    assets = json.loads(files["Unlink-local.assets.json"])["files"].values()
    [name] = [each["source"]["path"] for each in assets if each["source"]["path"].endswith(".zip")]
    (directory / name).symlink_to(archive)
    return directory


def cdk(emulator: Emulator, directory: Path, *arguments: str) -> None:
    environment = local_stack._cdk_environment(emulator)
    local_stack._cdk(list(arguments), environment, directory / "cdk.log")


def deployed(emulator: Emulator, assembly: Path, directory: Path) -> dict[str, str]:
    outputs = directory / "outputs.json"
    cdk(
        emulator,
        directory,
        "deploy",
        f"--app={assembly}",
        f"--outputs-file={outputs}",
        "--require-approval=never",
        "--method=direct",
    )
    (found,) = json.loads(outputs.read_text()).values()
    return dict(found)


def redirect_functions(emulator: Emulator) -> list[str]:
    functions = emulator.client("lambda").get_paginator("list_functions").paginate()
    return [
        function["FunctionName"]
        for page in functions
        for function in page["Functions"]
        if function["Handler"] == "functions.handlers.redirect.handler"
    ]


def unknown_link(emulator: Emulator) -> str:
    """The page of the current version for an unknown code."""
    [name] = redirect_functions(emulator)
    event: dict[str, Any] = {
        "httpMethod": "GET",
        "resource": "/{code}",
        "path": "/nothing",
        "pathParameters": {"code": "nothing"},
        "headers": {"Accept": "text/html"},
        "requestContext": {"requestId": "test", "identity": {}},
    }
    response = emulator.client("lambda").invoke(
        FunctionName=name, Qualifier="live", Payload=json.dumps(event)
    )
    return str(json.loads(response["Payload"].read())["body"])


def test_the_stack_is_deployed_changed_and_destroyed_and_its_data_survives(
    emulator: Emulator, tmp_path: Path
) -> None:
    archive, _ = build_archive(Target.host())
    assemblies: Assemblies = remembered(
        key_of_stack("lifecycle", Path(__file__).read_text("utf-8")),
        lambda: synthesized(archive, "first", "second"),
    )
    first = written(assemblies["first"], archive, tmp_path / "first")
    outputs = deployed(emulator, first, tmp_path)
    assert BEFORE in unknown_link(emulator)
    table = outputs["LinksTableName"]
    item = {"pk": {"S": "w#l"}, "sk": {"S": "LINK"}}
    dynamodb = emulator.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item)

    changed = Path(shutil.copyfile(archive, tmp_path / "changed.zip"))
    change_archive(changed, "functions/api/html_pages.py", ((BEFORE, AFTER),))
    second = written(assemblies["second"], changed, tmp_path / "second")
    again = deployed(emulator, second, tmp_path)

    # Nothing was replaced, and the alias has moved on.
    assert again == outputs
    assert AFTER in unknown_link(emulator)
    assert "Item" in dynamodb.get_item(TableName=table, Key=item)

    cdk(emulator, tmp_path, "destroy", f"--app={second}", "--force")

    assert redirect_functions(emulator) == []
    for name in ("Links", "Clicks", "Deletions", "Access"):
        dynamodb.describe_table(TableName=outputs[f"{name}TableName"])
    assert "Item" in dynamodb.get_item(TableName=table, Key=item)
