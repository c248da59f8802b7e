"""Signed receipts: verifiable with a public library; signed once, even if functions are killed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest

from functions import container, metrics
from functions.aws import calls
from functions.aws.kms import SigningKey
from functions.domain.errors import InternalError, Unavailable
from functions.domain.ids import new_time_ordered_id
from functions.handlers import receipt_signer
from functions.handlers import receipts as receipts_function
from functions.repositories.receipts import ReceiptsTable, unsigned_shard
from functions.services.receipts import ReceiptSigner, receipt_payload, sign_receipts
from tests.support.api_gateway import Context, send
from tests.support.erasure import Erasing
from tests.support.faults import FaultyClient, attempt, every_fault
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.interleaving import interleave

ISSUER = "https://api.example.com"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def kms_key(services_url: str) -> str:
    return new_kms_key(services_url)


def new_kms_key(services_url: str) -> str:
    kms = boto3.client("kms", endpoint_url=services_url)
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return str(made["KeyMetadata"]["KeyId"])


@pytest.fixture
def signing(erasing: Erasing, monkeypatch: pytest.MonkeyPatch, kms_key: str) -> Erasing:
    """Erasures whose receipts are to be signed, by a key of the emulator's KMS."""
    erasing.world.stores.erasures._sign_receipts = True
    monkeypatch.setenv("RECEIPT_KEY_ID", kms_key)
    monkeypatch.setenv("API_URL", ISSUER)
    container.reset()
    return erasing


def erased(erasing: Erasing, count: int = 3, **more: Any) -> tuple[str, list[str]]:
    """A completed erasure and the ids that it erased."""
    ids = erasing.world.create(count)
    for link_id in ids[:2]:
        erasing.click(link_id, 2)
    deletion = erasing.erase_completely(ids, **more)
    assert erasing.header(deletion.id).state == "complete"
    return deletion.id, ids


def table(erasing: Erasing, dynamodb: Any = None) -> ReceiptsTable:
    return ReceiptsTable(dynamodb or erasing.world.dynamodb, erasing.world.stores.deletions.name)


def signer_of(key: Any, erasing: Erasing, dynamodb: Any = None) -> ReceiptSigner:
    return ReceiptSigner(key, table(erasing, dynamodb), ISSUER)


def run(erasing: Erasing, signer: ReceiptSigner, dynamodb: Any = None) -> tuple[int, int]:
    receipts = table(erasing, dynamodb)
    deletions = erasing.world.stores.deletions
    return sign_receipts(signer, deletions=deletions, receipts=receipts, limit=100)


def ask(erasing: Erasing, deletion_id: str, **more: Any) -> tuple[int, str, str]:
    reply = erasing.world.send(receipts_function, "GET /api/receipts/{id}", at=deletion_id, **more)
    return reply.status, reply.headers["Content-Type"], reply.body.decode()


def key_set() -> Any:
    reply = send(receipts_function.handler, "GET /.well-known/jwks.json")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    return reply.json()


def verified(jws: str, keys: Any) -> Any:
    kid = jwt.get_unverified_header(jws)["kid"]
    return jwt.decode(jws, jwt.PyJWKSet.from_dict(keys)[kid], algorithms=["ES256"])


def digest_of(ids: list[str]) -> str:
    return hashlib.sha256("".join(f"{each}\n" for each in ids).encode()).hexdigest()


# -- what it says -----------------------------------------------------------------------------


def test_the_schedule_signs_a_receipt_of_what_was_erased(signing: Erasing) -> None:
    reason = "حذف " * 100
    deletion_id, ids = erased(signing, reason=reason)
    assert ask(signing, deletion_id)[0] == 409

    assert receipt_signer.handler({}, Context()) == {}

    status, kind, jws = ask(signing, deletion_id)
    assert (status, kind) == (200, "application/jose")
    header = jwt.get_unverified_header(jws)
    [key] = [each for each in key_set()["keys"] if each["kid"] == header["kid"]]
    assert header == {"alg": "ES256", "kid": key["kid"], "typ": "unlink-receipt+json"}
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    record = signing.header(deletion_id)
    assert record.receipt is not None
    assert record.receipt["signed"] is True
    assert verified(jws, key_set()) == {
        "version": 1,
        "iss": ISSUER,
        "deletionId": deletion_id,
        "workspaceId": signing.world.workspace_id,
        "mode": "erase",
        "actor": {"keyId": "test", "userId": "tester"},
        "reason": reason,
        "createdAt": record.created_at,
        "completedAt": record.completed_at,
        "verifiedEmptyAt": record.receipt["verifiedEmptyAt"],
        "counts": {"requested": 3, "erased": 3, "notFound": 0, "failed": 0},
        "removed": {
            "links": 3,
            "codes": 3,
            "clicks": 4,
            "rollups": record.receipt["rollups"],
            "installs": 0,
            "installsKept": 0,
            "qrObjects": 0,
        },
        "erasedIds": {"count": 3, "sha256": digest_of(ids)},
    }


def test_the_digest_is_over_the_erased_ids_in_the_order_of_the_request(signing: Erasing) -> None:
    deletion_id, ids = erased(signing)
    deletion = signing.world.deletion(deletion_id)
    assert receipt_payload(deletion, ISSUER)["erasedIds"]["sha256"] == digest_of(ids)
    assert digest_of(ids) != digest_of(sorted(ids, reverse=True))


def test_without_a_key_the_receipt_is_unsigned(erasing: Erasing) -> None:
    deletion_id, ids = erased(erasing)
    assert deletion_id not in {each.deletion_id for each in table(erasing).unsigned(limit=1_000)}
    status, kind, body = ask(erasing, deletion_id)
    assert (status, kind) == (200, "application/json")
    response = json.loads(body)
    assert response["signed"] is False
    assert response["erasedIds"] == {"count": 3, "sha256": digest_of(ids)}
    receipt = erasing.header(deletion_id).receipt
    assert receipt is not None
    assert receipt["signed"] is False


def test_what_has_no_receipt_is_not_found(signing: Erasing) -> None:
    world = signing.world
    soft = world.soft_delete(world.create(1))
    nothing = world.erase([new_time_ordered_id()])
    deletion_id, _ = erased(signing, 1)
    for asked in (soft.id, nothing.id, new_time_ordered_id(), "nonsense"):
        status, _, body = ask(signing, asked)
        assert (status, json.loads(body)["message"]) == (404, "Receipt not found")
    assert ask(signing, deletion_id, workspace_id="ws-other")[0] == 404


# -- when -------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("read", ["find", "awaits_signature"])
def test_a_receipt_that_is_signed_during_the_request_is_never_shown_unsigned(
    signing: Erasing, monkeypatch: pytest.MonkeyPatch, read: str, when: str
) -> None:
    deletion_id, _ = erased(signing, 1)
    with monkeypatch.context() as patch:
        sign: Any = {when: lambda: receipt_signer.handler({}, Context())}
        interleave(patch, ReceiptsTable, read, **sign)
        assert ask(signing, deletion_id)[:2] in [
            (409, "application/json"),
            (200, "application/jose"),
        ]


def test_no_receipt_is_signed_before_the_last_read_found_nothing(
    signing: Erasing, kms_key: str
) -> None:
    world = signing.world
    deletion, records = signing.erase(world.create(2))
    key = SigningKey(boto3.client("kms"), kms_key)
    signer = signer_of(key, signing)
    with pytest.raises(InternalError):
        signer.sign(world.deletion(deletion.id))
    run(signing, signer)
    status, _, body = ask(signing, deletion.id)
    assert (status, json.loads(body)["retryAfter"]) == (409, 60)
    assert table(signing).find(world.workspace_id, deletion.id) is None
    signing.cleanup(records)
    signing.work_all()
    assert signing.header(deletion.id).state == "complete"
    run(signing, signer)
    assert table(signing).find(world.workspace_id, deletion.id) is not None


def test_a_worker_that_fails_at_any_call_leaves_a_receipt_that_the_next_one_signs(
    signing: Erasing,
    kms_key: str,
    services_url: str,
    starting_point: StartingPoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)
    key = SigningKey(boto3.client("kms", endpoint_url=services_url), kms_key)
    for point in every_fault():
        deletion_id, ids = starting_point(lambda: erased(signing, 1))
        faulty = FaultyClient(signing.world.dynamodb)
        with point.strikes(faulty):
            attempt(run, signing, signer_of(key, signing, faulty), faulty)
        run(signing, signer_of(key, signing))
        first = table(signing).find(signing.world.workspace_id, deletion_id)
        assert first is not None, point
        assert verified(first, key_set())["erasedIds"]["sha256"] == digest_of(ids)
        assert not table(signing).awaits_signature(signing.world.workspace_id, deletion_id)
        # Signed again by a suspended worker: the first signature is kept.
        signer_of(key, signing).sign(signing.world.deletion(deletion_id))
        assert table(signing).find(signing.world.workspace_id, deletion_id) == first
    assert point.at > 4


class BrokenKey:
    """A key in KMS that cannot be used."""

    key_id = "broken"

    def public_key(self) -> bytes:
        raise Unavailable

    def sign(self, digest: bytes) -> bytes:
        raise Unavailable


def test_receipts_stay_unsigned_while_kms_refuses_and_the_run_fails(
    signing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletion_id, _ = erased(signing, 1)
    broken = signer_of(BrokenKey(), signing)
    with monkeypatch.context() as patch:
        patch.setattr(container, "receipt_signer", lambda: broken)
        with pytest.raises(RuntimeError, match="were not signed"):
            receipt_signer.handler({}, Context())
    assert ask(signing, deletion_id)[0] == 409
    receipt_signer.handler({}, Context())
    assert ask(signing, deletion_id)[0] == 200


def test_records_that_cannot_be_signed_do_not_delay_the_others(
    signing: Erasing, services_url: str, kms_key: str
) -> None:
    deletion_id, _ = erased(signing, 1)
    shard = unsigned_shard(deletion_id)
    dynamodb, name = signing.world.dynamodb, table(signing).name
    keys = [{"pk": {"S": f"ws-{number}"}, "sk": {"S": "damaged"}} for number in range(6)]
    for key in keys:
        # Before the good one in the index.
        index = {"openPk": {"S": shard}, "openSk": {"S": "#"}}
        dynamodb.put_item(TableName=name, Item=key | index)
    signing_key = SigningKey(boto3.client("kms", endpoint_url=services_url), kms_key)
    try:
        assert run(signing, signer_of(signing_key, signing)) == (1, 6)
        assert table(signing).find(signing.world.workspace_id, deletion_id) is not None
    finally:
        for key in keys:
            dynamodb.delete_item(TableName=name, Key=key)


def test_a_new_key_signs_and_the_old_ones_stay_published(
    signing: Erasing, services_url: str, kms_key: str
) -> None:
    kms = boto3.client("kms", endpoint_url=services_url)
    signed = []
    for key_id in (kms_key, new_kms_key(services_url)):
        deletion_id, _ = erased(signing, 1)
        run(signing, signer_of(SigningKey(kms, key_id), signing))
        signed.append(ask(signing, deletion_id)[2])
    kids = [jwt.get_unverified_header(jws)["kid"] for jws in signed]
    assert kids[0] != kids[1]
    published = [each["kid"] for each in key_set()["keys"]]
    assert published.index(kids[0]) < published.index(kids[1])
    kms.schedule_key_deletion(KeyId=kms_key, PendingWindowInDays=7)
    for jws in signed:
        assert verified(jws, key_set())


# -- verifying --------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_the_script_of_the_docs_verifies_a_receipt(signing: Erasing, tmp_path: Path) -> None:
    """With a public library alone; one changed byte, or another list of ids, does not pass."""
    text = (ROOT / "docs" / "receipts.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(script.splitlines()) <= 30
    (tmp_path / "verify.py").write_text(script)
    ids = signing.world.create(30)
    for link_id in ids[:20]:
        signing.click(link_id, 3)
        signing.render(link_id, "a.png")
    for link_id in ids[:5]:
        signing.put_beside(link_id, "INSTALL#1")
    deletion = signing.erase_completely(ids, policies={"cascadeInstalls": True})
    receipt_signer.handler({}, Context())
    jws = ask(signing, deletion.id)[2]
    (tmp_path / "jwks.json").write_text(json.dumps(key_set()))
    (tmp_path / "ids.txt").write_text("\n".join(ids))

    def verify(receipt: str, *more: str) -> tuple[int, str]:
        (tmp_path / "receipt.jws").write_text(receipt)
        command = [sys.executable, "-I", "verify.py", "receipt.jws", "jwks.json", *more]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, output = verify(jws, "ids.txt")
    assert code == 0, output
    assert output.endswith("VALID\n")
    removed = json.loads(output.removesuffix("VALID\n"))["removed"]
    assert removed["links"] == 30
    assert removed["clicks"] == 60
    assert removed["installs"] == 5
    assert removed["qrObjects"] == 20
    (tmp_path / "ids.txt").write_text("\n".join(ids[1:] + ids[:1]))
    assert verify(jws, "ids.txt")[0] == 1

    head, payload, signature = jws.split(".")
    content = bytearray(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    content[content.index(b'"requested":30') + 12] ^= 1
    changed = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    code, output = verify(f"{head}.{changed}.{signature}")
    assert code == 1
    assert output.startswith("NOT VALID")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    assert verify(f"{none}.{payload}.")[0] == 1


def test_no_changed_byte_of_a_receipt_is_accepted(signing: Erasing) -> None:
    deletion_id, _ = erased(signing, 1)
    receipt_signer.handler({}, Context())
    jws = ask(signing, deletion_id)[2]
    keys = key_set()
    verified(jws, keys)
    # The last character has bits that base64 ignores.
    for position in range(0, len(jws) - 1, 7):
        if jws[position] == ".":
            continue
        other = "A" if jws[position] != "A" else "B"
        with pytest.raises((jwt.PyJWTError, KeyError, UnicodeDecodeError)):
            verified(jws[:position] + other + jws[position + 1 :], keys)


def test_each_run_reports_the_age_of_the_oldest_receipt_that_is_left(
    signing: Erasing, services_url: str, kms_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the alarm on receipts that stay unsigned."""
    deletion_id, _ = erased(signing, 1)
    measured: list[tuple[str, float]] = []
    monkeypatch.setattr(metrics, "measure", lambda name, value: measured.append((name, value)))
    signing.world.dynamodb.update_item(
        TableName=table(signing).name,
        Key={"pk": {"S": signing.world.workspace_id}, "sk": {"S": deletion_id}},
        UpdateExpression="SET openSk=:old",
        ExpressionAttributeValues={":old": {"S": f"2026-01-01T00:00:00.000Z#{deletion_id}"}},
    )
    since = time.time() - 1_767_225_600

    assert run(signing, signer_of(BrokenKey(), signing))[0] == 0
    signing_key = SigningKey(boto3.client("kms", endpoint_url=services_url), kms_key)
    while run(signing, signer_of(signing_key, signing)) != (0, 0):
        pass

    names, ages = zip(*measured, strict=True)
    assert set(names) == {"OldestUnsignedReceipt"}
    assert ages[0] == pytest.approx(since, abs=60)
    assert ages[-1] == 0.0
