"""Requests generated from the OpenAPI document: no 5xx, no undocumented response.

Schemathesis goes through each operation's borders and violations first, then fuzzes, then follows
the document's links from one operation to the next (create, read, delete, read again).
``FUZZ_EXAMPLES`` and ``FUZZ_SEED`` change how many it tries and where it goes. It counts them, so
that a slow machine tries as many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.demo_data import Workspace
from local.emulator import LOCAL_DIR
from local.stack import LocalStack
from tests.support.contract import Contract
from tests.support.http_client import Client

#: For each operation, in addition to those at its limits; and three times as many walks through
#: links.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
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
    # A route that needs a key refuses a request without one.
    "ignored_auth",
)

#: What was created is there. The check knows of DELETE alone, so it is asked where nothing else
#: deletes: not of deletions by filter, nor of exports, which go with their link. Creates have no
#: Idempotency-Key here: a repeated one returns 201 although its link was deleted since.
CREATED = "ensure_resource_availability"
#: Where Hypothesis keeps its tables of characters, which take seconds of CPU to make.
TABLES = LOCAL_DIR / "hypothesis"
#: When a run counts as hung.
_TIMEOUT = 900
AROUND_A_LINK = ("createLinks", "listLinks", "getLink", "updateLink", "getLinkQr", "deleteLink")


def test_every_response_to_any_request_is_documented(
    stack: LocalStack, contract: Contract, tmp_path: Path
) -> None:
    workspace = stack.new_workspace()
    links = [{"originalUrl": f"https://example.com/{n}", "tags": ["fuzz"]} for n in range(20)]
    assert Client(stack.base_url, workspace.api_key).post("/api/links", links).status == 201

    output = fuzz(stack, workspace, tmp_path, "--phases=examples,coverage,fuzzing,stateful")

    print(*output.splitlines()[-20:], sep="\n")
    print(*sorted(contract.seen.items()), sep="\n")


def test_created_links_exist_until_they_are_deleted(stack: LocalStack, tmp_path: Path) -> None:
    only = [f"--include-operation-id={name}" for name in AROUND_A_LINK]

    output = fuzz(
        stack,
        stack.new_workspace(),
        tmp_path,
        "--phases=stateful",
        *only,
        more=(CREATED,),
        document=_without_idempotency_keys(stack, tmp_path / "openapi.json"),
    )

    assert "API Links:" in output


def fuzz(
    stack: LocalStack,
    workspace: Workspace,
    directory: Path,
    *options: str,
    more: Sequence[str] = (),
    document: Path | None = None,
) -> str:
    """What Schemathesis prints; ``document`` replaces the served document."""
    (directory / "schemathesis.toml").write_text(
        f"[phases.fuzzing.generation]\nmax-examples = {EXAMPLES}\n"
        f"[phases.stateful.generation]\nmax-examples = {3 * EXAMPLES}\n"
    )
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            "run",
            str(document) if document else f"{stack.base_url}/api/openapi.json",
            f"--url={stack.base_url}",
            f"--header=Authorization: Bearer {workspace.admin_key}",
            f"--checks={','.join([*CHECKS, *more])}",
            f"--seed={SEED}",
            "--continue-on-failure",
            "--no-shrink",
            "--suppress-health-check=all",
            "--warnings=off",
            "--no-color",
            "--generation-database=none",
            *options,
        ],
        cwd=directory,
        env=os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(TABLES)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
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
