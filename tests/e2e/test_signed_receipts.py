"""Signed receipts of the deployed stack in the client and in `unlinkctl`.

The erasure starts first and its receipt is checked last, so that no test waits for it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.demo_data import Workspace
from local.stack import LocalStack
from tests.e2e.conftest import run, variables
from unlink_client import Conflict, NotFound, ReceiptIsInvalid, SignedReceipt, Unlink

Unlinkctl = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Erased:
    """An erasure with a reason, by an ordinary key."""

    workspace: Workspace
    ids: list[str]
    deletion_id: str


@pytest.fixture(scope="session")
def erased(stack: LocalStack) -> Erased:
    workspace = stack.new_workspace()
    with Unlink(stack.base_url, workspace.api_key) as unlink:
        ids = [unlink.create(f"https://example.com/{n}").id for n in range(3)]
        deletion = unlink.delete(ids, erase=True, reason="the tour is over")
    return Erased(workspace, ids, deletion.id)


@pytest.fixture
def unlinkctl(
    stack: LocalStack, erased: Erased, path_with_command: str, tmp_path: Path
) -> Unlinkctl:
    """Runs the command with the key of the erasure."""

    environment = variables(stack, erased.workspace, path_with_command, tmp_path)
    return lambda *arguments: run(["unlinkctl", *arguments], tmp_path, environment, timeout=400)


@pytest.mark.at_first
def test_the_receipt_of_a_running_erasure_is_409_with_retry_after(
    stack: LocalStack, erased: Erased, unlinkctl: Unlinkctl
) -> None:
    with Unlink(stack.base_url, erased.workspace.api_key) as unlink, pytest.raises(Conflict):
        unlink.receipt(erased.deletion_id)
    ran = unlinkctl("deletions", erased.deletion_id, "--receipt")
    assert (ran.returncode, ran.stdout) == (75, "")
    assert "the deletion is erasing" in ran.stderr


@pytest.mark.at_last
def test_a_signed_receipt_is_waited_for_and_verified(
    stack: LocalStack,
    erased: Erased,
    other_workspace: Workspace,
    tmp_path: Path,
    unlinkctl: Unlinkctl,
) -> None:
    ran = unlinkctl(
        "deletions",
        erased.deletion_id,
        "--wait",
        "--receipt",
    )
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "receipt.jws").write_text(ran.stdout)
    with Unlink(stack.base_url, erased.workspace.api_key) as unlink:
        receipt = unlink.receipt(erased.deletion_id)
        jwks = unlink.jwks()
    assert receipt is not None
    assert receipt.jws == ran.stdout.strip()

    found = receipt.verify(jwks, ids=erased.ids)

    assert found.deletion_id == erased.deletion_id
    assert found.workspace_id == erased.workspace.workspace_id
    assert found.reason == "the tour is over"
    assert (found.counts.requested, found.counts.erased, found.removed.links) == (3, 3, 3)
    digest = hashlib.sha256("".join(f"{each}\n" for each in erased.ids).encode())
    assert found.erased_ids.sha256 == digest.hexdigest()
    with pytest.raises(ReceiptIsInvalid, match="covers 3 ids, not 2"):
        receipt.verify(jwks, ids=erased.ids[:2])
    header, payload, signature = receipt.jws.split(".")
    with pytest.raises(ReceiptIsInvalid):
        SignedReceipt(f"{header}.{payload[:-4]}AAAA.{signature}").verify(jwks)
    with Unlink(stack.base_url, other_workspace.api_key) as other, pytest.raises(NotFound):
        other.receipt(erased.deletion_id)

    # The public keys are fetched, or come from a file, and then nothing is asked.
    (tmp_path / "ids.txt").write_text("\n".join(erased.ids))
    (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    for more in ([], ["--jwks", "jwks.json", "--ids", "@ids.txt"]):
        ran = unlinkctl("verify", "receipt.jws", *more)
        assert ran.returncode == 0, ran.stderr
        assert "The signature is good." in ran.stderr
        assert "3 of 3 ids" in ran.stdout
    (tmp_path / "other.txt").write_text("\n".join(reversed(erased.ids)))
    ran = unlinkctl("verify", "receipt.jws", "--ids", "@other.txt")
    assert ran.returncode == 1
    assert "another order" in ran.stderr
