"""Receipts: a signed receipt is verified, any other one is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.client.conftest import Run
from tests.client.fake_service import FakeUnlink
from tests.client.support import FakeService, hoko
from unlink_client import Conflict, ReceiptIsInvalid, SignedReceipt

IDS = ["0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11", "9d3512ef-deb9-448a-899e-b7644ffef117"]
PRIVATE = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey, key_id: str) -> dict[str, Any]:
    found = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(
        key.public_key(), as_dict=True
    )
    return {**found, "kid": key_id, "alg": "ES256", "use": "sig"}


JWKS = {"keys": [public(OTHER, "old"), public(PRIVATE, "new")]}
PAYLOAD = {
    "version": 1,
    "iss": "https://go.example.com",
    "deletionId": "01a2013c-632f-71c5-88ad-db7263a66868",
    "workspaceId": "demo",
    "mode": "erase",
    "actor": {"keyId": "key-1", "userId": "user-api"},
    "reason": "the tour is over",
    "createdAt": "2026-11-22T03:11:04.495Z",
    "completedAt": "2026-11-22T03:13:04.495Z",
    "verifiedEmptyAt": "2026-11-22T03:13:04.100Z",
    "counts": {"requested": 3, "erased": 2, "notFound": 1, "failed": 0},
    "removed": {
        "links": 2,
        "codes": 2,
        "clicks": 8,
        "rollups": 1,
        "installs": 0,
        "installsKept": 0,
        "qrObjects": 1,
    },
    "erasedIds": {
        "count": 2,
        "sha256": hashlib.sha256("".join(f"{each}\n" for each in IDS).encode()).hexdigest(),
    },
}


def signed(
    payload: Any = PAYLOAD,
    *,
    key: Any = PRIVATE,
    kid: str = "new",
    typ: str = "unlink-receipt+json",
    algorithm: str = "ES256",
) -> SignedReceipt:
    content = json.dumps(payload).encode()
    headers = {"kid": kid, "typ": typ}
    return SignedReceipt(jwt.PyJWS().encode(content, key, algorithm, headers=headers))


def test_a_receipt_shows_the_signed_content() -> None:
    receipt = signed().verify(JWKS, ids=IDS)
    assert (receipt.workspace_id, receipt.counts.erased, receipt.removed.clicks) == ("demo", 2, 8)
    assert receipt.erased_ids.count == 2


def test_a_key_that_was_replaced_still_verifies() -> None:
    assert signed(key=OTHER, kid="old").verify(JWKS).reason == "the tour is over"


def _changed() -> SignedReceipt:
    header, _, signature = signed().jws.split(".")
    content = json.dumps(PAYLOAD | {"workspaceId": "other"}).encode()
    payload = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    return SignedReceipt(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize(
    ("receipt", "message"),
    [
        (_changed(), "was changed"),
        (signed(key=OTHER), "was changed"),
        (signed(kid="unknown"), "No public key"),
        (signed(typ="JWT"), "not a receipt"),
        (signed(key="s" * 32, algorithm="HS256"), "cannot be read"),
        (signed(key=None, algorithm="none"), "cannot be read"),
        (signed({"version": 1}), "not a receipt"),
        (SignedReceipt(""), "cannot be read"),
        (SignedReceipt("a.b"), "cannot be read"),
        (SignedReceipt(signed().jws[:-4]), "cannot be read|was changed"),
    ],
)
def test_what_proves_nothing_is_refused(receipt: SignedReceipt, message: str) -> None:
    with pytest.raises(ReceiptIsInvalid, match=message):
        receipt.verify(JWKS)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (IDS[:1], "covers 2 ids, not 1"),
        (IDS[::-1], "another order"),
        ([IDS[0], IDS[0]], "other ids"),
    ],
)
def test_other_ids_are_not_covered(ids: list[str], message: str) -> None:
    with pytest.raises(ReceiptIsInvalid, match=message):
        signed().verify(JWKS, ids=ids)


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": "x"}, {"keys": [1]}])
def test_without_its_key_a_receipt_proves_nothing(jwks: dict[str, Any]) -> None:
    with pytest.raises(ReceiptIsInvalid, match="No public key"):
        signed().verify(jwks)


def test_the_client_waits_for_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlink_client.sync.account.time.sleep", lambda _: None)
    early = (409, hoko("Conflict", retryAfter=5), {"Retry-After": "5"})
    jws = (200, signed().jws.encode(), {"Content-Type": "application/jose"})
    service = FakeService([early, early, jws])
    receipt = service.client().receipt("d-1", timeout=60)
    assert receipt is not None
    assert receipt.verify(JWKS).deletion_id == PAYLOAD["deletionId"]
    with pytest.raises(Conflict):
        FakeService([early]).client().receipt("d-1")


def test_a_service_that_does_not_sign_has_no_receipt() -> None:
    assert FakeService([(200, {"signed": False})]).client().receipt("d-1") is None


def test_verify_needs_no_service_with_a_file_of_keys(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "receipt.jws").write_text(signed().jws + "\n")
    (tmp_path / "jwks.json").write_text(json.dumps(JWKS))
    (tmp_path / "ids.txt").write_text("".join(f"{each}\n" for each in IDS))
    arguments = ("verify", str(tmp_path / "receipt.jws"), "--jwks", str(tmp_path / "jwks.json"))
    ran = unlinkctl(*arguments, "--ids", f"@{tmp_path / 'ids.txt'}")
    assert ran.code == 0, ran.err
    assert "2 of 3 ids" in ran.out
    assert "covers exactly the given ids" in ran.err
    assert json.loads(unlinkctl(*arguments, "--json").out)["workspaceId"] == "demo"
    ran = unlinkctl(*arguments, "--ids", IDS[0])
    assert ran.code == 1
    assert "covers 2 ids, not 1" in ran.err
    ran = unlinkctl(*arguments, "--ids", "summer")
    assert ran.code == 2
    assert "--ids takes UUIDs" in ran.err
    (tmp_path / "receipt.jws").write_text(_changed().jws)
    ran = unlinkctl(*arguments)
    assert ran.code == 1
    assert "was changed" in ran.err
    assert service.requests == []
