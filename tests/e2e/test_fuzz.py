"""Requests generated from the OpenAPI document: no 5xx, no undocumented response.

Schemathesis goes through each operation's borders and violations first, then fuzzes, then follows
the document's links from one operation to the next (create, read, delete, read again) until the
time is over. ``FUZZ_SECONDS`` and ``FUZZ_SEED`` change how long and where it goes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.demo_data import Workspace
from local.stack import LocalStack
from tests.e2e.client import Client
from tests.e2e.contract import Contract

SECONDS = int(os.environ.get("FUZZ_SECONDS", "40"))
SEED = os.environ.get("FUZZ_SEED", "1")

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    # Invalid requests are refused, and deleted resources are gone.
    "negative_data_rejection",
    "use_after_free",
    # Nothing that needs a key is answered without one.
    "ignored_auth",
)

#: What was created is there. The check knows of DELETE alone, so it is asked where nothing else
#: deletes: not of deletions by filter, nor of exports, which go with their link. Creates have no
#: Idempotency-Key here: a repeated one returns 201 although its link was deleted since.
CREATED = "ensure_resource_availability"
CREATED_SECONDS = 20
AROUND_A_LINK = ("createLinks", "listLinks", "getLink", "updateLink", "getLinkQr", "deleteLink")


def test_every_response_to_any_request_is_documented(
    stack: LocalStack, contract: Contract, tmp_path: Path
) -> None:
    workspace = stack.new_workspace()
    links = [{"originalUrl": f"https://example.com/{n}", "tags": ["fuzz"]} for n in range(20)]
    assert Client(stack.base_url, workspace.api_key).post("/api/links", links).status == 201

    figure = fuzz(
        stack, workspace, tmp_path, SECONDS, "--phases=examples,coverage,fuzzing,stateful"
    )

    print(*figure.splitlines()[-20:], sep="\n")
    print(*sorted(contract.seen.items()), sep="\n")


def test_created_links_exist_until_they_are_deleted(stack: LocalStack, tmp_path: Path) -> None:
    only = [f"--include-operation-id={name}" for name in AROUND_A_LINK]

    figure = fuzz(
        stack,
        stack.new_workspace(),
        tmp_path,
        CREATED_SECONDS,
        "--phases=stateful",
        *only,
        more=(CREATED,),
        document=_without_idempotency_keys(stack, tmp_path / "openapi.json"),
    )

    assert "API Links:" in figure


def fuzz(
    stack: LocalStack,
    workspace: Workspace,
    directory: Path,
    seconds: int,
    *options: str,
    more: Sequence[str] = (),
    document: Path | None = None,
) -> str:
    """What Schemathesis prints after ``seconds``; ``document`` replaces the served document."""
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            "run",
            str(document) if document else f"{stack.base_url}/api/openapi.json",
            f"--url={stack.base_url}",
            f"--header=Authorization: Bearer {workspace.admin_key}",
            f"--checks={','.join([*CHECKS, *more])}",
            f"--max-time={seconds}",
            f"--seed={SEED}",
            "--continue-on-failure",
            "--no-shrink",
            "--suppress-health-check=all",
            "--warnings=off",
            "--no-color",
            *options,
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    return run.stdout


def _without_idempotency_keys(stack: LocalStack, copy: Path) -> Path:
    """A copy of the served document whose creates take no Idempotency-Key."""
    served = Client(stack.base_url, "").get("/api/openapi.json").json
    create = served["paths"]["/api/links"]["post"]
    kept = [each for each in create["parameters"] if each["name"] != "Idempotency-Key"]
    assert len(kept) == len(create["parameters"]) - 1
    create["parameters"] = kept
    copy.write_text(json.dumps(served), encoding="utf-8")
    return copy
