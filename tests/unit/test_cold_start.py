"""What a function imports at its start, as lists and counts: a visitor waits for each module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from functions import powertools
from functions.aws import session
from infra.packaging import ROOT

HANDLERS = sorted(
    path.stem for path in Path("functions/handlers").glob("*.py") if path.stem != "__init__"
)

#: Modules that no start needs: heavy ones, those of single routes, and all that is deferred.
FORBIDDEN = sorted(
    {
        *("annotated_types", "pydantic", "pydantic_core", "typing_extensions"),
        *("boto3", "s3transfer", "concurrent.futures.thread"),
        *("crawleruseragents", "ua_parser", "segno", "cryptography", "jwt"),
        *("ast", "dis", "inspect", "ipaddress"),
        *("asyncio", "multiprocessing", "html.parser", "zipfile", "zoneinfo"),
        *("functions.schemas.links", "functions.schemas.filters", "functions.domain.hosts"),
        *session.UNUSED,
        *powertools.UNUSED,
    }
)

#: The most modules of the archive (ours and our dependencies') that a start may import. Raise one
#: only for a module that every request of the function needs.
MAX_MODULES = {
    "account": 180,
    "analytics": 190,
    "authorizer": 145,
    "click_stream": 150,
    "deletion_stream": 140,
    "deletion_worker": 175,
    "deletions": 210,
    "erase_worker": 170,
    "export_worker": 155,
    "keys": 165,
    "link_stream": 160,
    "links": 190,
    "pages": 60,
    "qr": 170,
    "receipt_signer": 150,
    "receipts": 175,
    "redirect": 152,
    "scheduler": 185,
}

#: Run in a separate process: prints the imported modules with their files, how often the garbage
#: collector ran, and how many clients the import made.
_START = """
import gc, functions
def collections():
    return sum(each["collections"] for each in gc.get_stats())
before = collections()
import importlib, json, sys
importlib.import_module("functions.handlers." + sys.argv[1])
clients = 0
if sys.argv[1] != "pages":
    from functions.aws.client import client
    clients = client.cache_info().currsize
    client("dynamodb")
ran = collections() - before
files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
print(json.dumps([files, ran, clients]))
"""

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "unlink",
    "PATH": os.environ["PATH"],
}


_TABLES = {f"{name}_TABLE": "table" for name in ("ACCESS", "LINKS", "CLICKS")}


def printed(program: str, *handlers: str, **environment: str) -> Any:
    """The JSON output of a program in a separate process."""
    done = subprocess.run(
        [sys.executable, "-c", program, *handlers],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=_ENVIRONMENT | environment,
    )
    return json.loads(done.stdout)


def of_the_archive(files: dict[str, str | None]) -> Sequence[str]:
    places = ("site-packages", str(ROOT / "functions"))
    return [name for name, file in files.items() if file and any(each in file for each in places)]


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_start_imports_only_what_every_request_needs(handler: str) -> None:
    files, collections, clients = printed(_START, handler, **_TABLES)

    assert [name for name in FORBIDDEN if name in files] == []
    assert len(of_the_archive(files)) <= MAX_MODULES[handler]
    # It would check every imported object, without effect.
    assert collections == 0
    # Only Lambda pays for the start of a function with more processor than for a request.
    assert clients == 0


_FORMATTER = """
import inspect, json
from functions.powertools import Logger
from aws_lambda_powertools.logging import formatter
print(json.dumps([
    formatter.RESERVED_FORMATTER_CUSTOM_KEYS,
    inspect.getfullargspec(formatter.LambdaPowertoolsFormatter).args[1:],
]))
"""


def test_powertools_reserves_the_parameters_of_its_formatter() -> None:
    """It asks ``inspect`` for them, which a start does without."""
    reserved, parameters = printed(_FORMATTER)

    assert reserved == parameters
    assert "log_record_order" in parameters


def test_every_function_has_a_bound() -> None:
    assert sorted(MAX_MODULES) == HANDLERS


#: Imports each handler as the first one: prints how many clients that made.
_WARM = """
import importlib, json, sys
made = {}
for handler in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "functions"]:
        del sys.modules[name]
    importlib.import_module("functions.handlers." + handler)
    from functions.aws.client import client
    made[handler] = client.cache_info().currsize
print(json.dumps(made))
"""

#: The functions with waiting callers that call AWS.
WAITED_FOR = [
    *("account", "analytics", "authorizer", "deletions", "keys"),
    *("links", "qr", "receipts", "redirect"),
]


def test_on_lambda_the_client_is_made_before_the_first_request() -> None:
    """The start of a function has more processor than its requests."""
    made = printed(_WARM, *WAITED_FOR, **_TABLES, AWS_LAMBDA_FUNCTION_NAME="function")

    assert made == dict.fromkeys(WAITED_FOR, 1)
