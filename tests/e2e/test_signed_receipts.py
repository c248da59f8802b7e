"""Signed receipts of the deployed stack in the client and in `unlinkctl`.

The erasure starts first and its receipt is checked last, so that no test waits for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.demo_data import Workspace
from local.stack import LocalStack
from unlink_client import Conflict, NotFound, ReceiptIsInvalid, SignedReceipt, Unlink

ROOT = Path(__file__).resolve().parents[2]


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


def unlinkctl(
    stack: LocalStack, erased: Erased, directory: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "unlink_client", *arguments],
        cwd=directory,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT / "client"),
            "UNLINK_URL": stack.base_url,
            "UNLINK_API_KEY": erased.workspace.api_key,
            "UNLINK_STATE_DIR": str(directory),
            "HOME": str(directory),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.mark.at_first
def test_the_receipt_of_a_running_erasure_is_409_with_retry_after(
    stack: LocalStack, erased: Erased, tmp_path: Path
) -> None:
    with Unlink(stack.base_url, erased.workspace.api_key) as unlink, pytest.raises(Conflict):
        unlink.receipt(erased.deletion_id)
    ran = unlinkctl(stack, erased, tmp_path, "deletions", erased.deletion_id, "--receipt")
    assert (ran.returncode, ran.stdout) == (75, "")
    assert "the deletion is erasing" in ran.stderr


@pytest.mark.at_last
def test_a_signed_receipt_is_waited_for_and_verified(
    stack: LocalStack, erased: Erased, other_workspace: Workspace, tmp_path: Path
) -> None:
    ran = unlinkctl(stack, erased, tmp_path, "deletions", erased.deletion_id, "--wait", "--receipt")
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
        ran = unlinkctl(stack, erased, tmp_path, "verify", "receipt.jws", *more)
        assert ran.returncode == 0, ran.stderr
        assert "The signature is good." in ran.stderr
        assert "3 of 3 ids" in ran.stdout
    (tmp_path / "other.txt").write_text("\n".join(reversed(erased.ids)))
    ran = unlinkctl(stack, erased, tmp_path, "verify", "receipt.jws", "--ids", "@other.txt")
    assert ran.returncode == 1
    assert "another order" in ran.stderr
