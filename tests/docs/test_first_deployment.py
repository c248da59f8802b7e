"""The commands of docs/first-deployment.md: AWS's own model knows each operation and option.

They cannot be run against a deployed stack, because they take one apart.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import get_session

from admin import preflight
from admin.arguments import build_parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-deployment.md").read_text(encoding="utf-8")

#: Options of the AWS CLI itself.
GLOBAL = {"output", "query"}


def commands(program: str) -> list[list[str]]:
    """The words of every command of a program, lines joined."""
    text = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    return [
        words for line in text.splitlines() if (words := shlex.split(line)) and words[0] == program
    ]


@pytest.mark.parametrize("words", commands("aws"), ids=lambda words: "-".join(words[1:4]))
def test_the_model_of_aws_has_the_operation_and_its_options(words: list[str]) -> None:
    client = get_session().create_client(
        words[1].removesuffix("api"),
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    operation = words[2].replace("-", "_")
    if operation == "wait":
        assert words[3].replace("-", "_") in client.waiter_names
        return
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    parameters = model.input_shape
    assert parameters is not None
    known = {xform_name(name, "-"): shape for name, shape in parameters.members.items()}
    given = {word.removeprefix("--") for word in words[3:] if word.startswith("--")} - GLOBAL
    options = set()
    for option in given:
        name = option if option in known else option.removeprefix("no-")
        assert name in known, option
        # Only a switch can be negated.
        assert name == option or known[name].type_name == "boolean", option
        options.add(name)
    assert {xform_name(name, "-") for name in parameters.required_members} <= options


def test_the_preflight_command_is_one_and_its_checks_are_listed() -> None:
    [words] = commands(".venv/bin/python")
    given = build_parser().parse_args([word.replace("$STAGE", "prod") for word in words[3:]])
    assert given.noun == "preflight"
    rows = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    assert rows == ["Check", *preflight.CHECKS]


def test_the_first_deployment_does_not_roll_back() -> None:
    [words] = commands("npx")
    assert words == ["npx", "cdk", "deploy", "-c", "stage=$STAGE", "--no-rollback"]
