"""`make aws-smoke`: what no local engine shows, tried on a throw-away stage of a real account.

    AWS_PROFILE=… .venv/bin/python -m administration.smoke --yes

Deploys the stage `dev` (its data goes with it), checks, and destroys it again. Costs a few cents
and ten minutes. The checks are those of docs/operations.md, "Not verified on AWS".
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

ROOT = Path(__file__).resolve().parent.parent
STAGE = "dev"
CDK = ROOT / "node_modules" / ".bin" / "cdk"


class Smoke:
    """The deployed stage, with a key of a workspace of its own."""

    def __init__(self) -> None:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=f"Unlink-{STAGE}")
        self.outputs = {
            each["OutputKey"]: each["OutputValue"] for each in stacks["Stacks"][0]["Outputs"]
        }
        self.workspace = f"smoke-{uuid.uuid4().hex[:8]}"
        self._administer("workspace", "create", self.workspace, "--plan", "free")
        scopes = "linksRead,linksWrite,linksErase"
        issued = self._administer(
            "key", "issue", self.workspace, "--name", "smoke", "--scopes", scopes
        )
        self.key = str(issued["secret"])

    def call(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, parsed body (or text) and headers."""
        address = urlsplit(self.outputs["ApiUrl"])
        connection = http.client.HTTPSConnection(address.netloc, timeout=40)
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        connection.request(method, address.path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = text
        return answer.status, parsed, {k.lower(): v for k, v in answer.getheaders()}

    def create(self) -> dict[str, Any]:
        status, link, _ = self.call("POST", "/api/links", b'{"originalUrl":"https://example.com"}')
        _expect(status == 201, f"create answered {status}: {link}")
        return dict(link)

    def _administer(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "administration", "--stage", STAGE, "--json", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))


class Failed(Exception):
    """A check saw something else."""


def _expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise Failed(otherwise)


def delete_body_and_statement(smoke: Smoke) -> None:
    """DELETE with a body reaches the function; the PartiQL statement and its rights work."""
    link = smoke.create()
    status, answer, _ = smoke.call("DELETE", "/api/links", json.dumps([link["id"]]).encode())
    _expect((status, answer) == (200, {"deletedIds": [link["id"]]}), f"{status}: {answer}")
    status, _, _ = smoke.call("GET", f"/{link['shortCode']}")
    _expect(status == 404, f"the redirect still answers {status}")


def erasure_and_its_rights(smoke: Smoke) -> None:
    """The erasing transaction, stream, queue and receipt, each under its own role."""
    link = smoke.create()
    status, answer, headers = smoke.call("DELETE", f"/api/links/{link['id']}")
    _expect(status == 200, f"{status}: {answer}")
    for _ in range(120):
        _, record, _ = smoke.call("GET", f"/api/deletions/{headers['x-deletion-id']}")
        if record.get("state") == "complete":
            _expect(record["receipt"]["links"] == 1, f"receipt {record['receipt']}")
            return
        time.sleep(10)
    raise Failed("no receipt within twenty minutes")


def refusals_are_mapped(smoke: Smoke) -> None:
    """A wrong key is 401 with both contracts' body, an unknown route 404."""
    status, answer, _ = smoke.call("GET", "/api/links", key="invalid")
    _expect(status == 401 and answer["error"]["en"] == "Invalid API key", f"{status}: {answer}")
    status, answer, _ = smoke.call("GET", "/api/nothing")
    _expect(status == 404 and answer["message"] == "Route not found", f"{status}: {answer}")


def payload_limits(smoke: Smoke) -> None:
    """Five megabytes are refused with our 413, not with the gateway's own words."""
    status, answer, _ = smoke.call("DELETE", "/api/links", b"[" + b" " * 5_000_000 + b"]")
    _expect(status == 413 and "error" in answer, f"{status}: {answer}")


def usage_plan_throttles(smoke: Smoke) -> None:
    """Three windows' worth at once: some are refused, all with Retry-After."""
    answers = [smoke.call("GET", "/api/links?limit=1") for _ in range(330)]
    refused = [headers for status, _, headers in answers if status == 429]
    _expect(bool(refused), "nothing was refused")
    _expect(all("retry-after" in each for each in refused), "a 429 without Retry-After")


def settings_that_engines_drop(smoke: Smoke) -> None:
    """TTL, PITR, lifecycle, the failure destination and the key source are really on."""
    dynamodb = boto3.client("dynamodb")
    for name in ("Links", "Clicks", "Deletions", "Access"):
        table = smoke.outputs[f"{name}TableName"]
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        _expect(ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}, f"{table}: {ttl}")
        backup = dynamodb.describe_continuous_backups(TableName=table)
        recovery = backup["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        _expect(recovery["PointInTimeRecoveryStatus"] == "ENABLED", f"{table}: {recovery}")
    rules = boto3.client("s3").get_bucket_lifecycle_configuration(
        Bucket=smoke.outputs["QrBucketName"]
    )["Rules"]
    _expect(bool(rules), "the bucket has no lifecycle")
    api = boto3.client("apigateway").get_rest_api(restApiId=smoke.outputs["ApiId"])
    _expect(api["apiKeySource"] == "AUTHORIZER", f"key source {api['apiKeySource']}")


CHECKS: tuple[Callable[[Smoke], None], ...] = (
    delete_body_and_statement,
    refusals_are_mapped,
    payload_limits,
    settings_that_engines_drop,
    erasure_and_its_rights,
    # Last: it uses the window up.
    usage_plan_throttles,
)


def main() -> int:
    """Deploy, check, destroy; the number of checks that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="really use the AWS account")
    if not parser.parse_args().yes:
        parser.error("this deploys to the AWS account of your credentials; say --yes")
    failures = 0
    subprocess.run(
        [str(CDK), "deploy", f"-cstage={STAGE}", "--require-approval=never"], cwd=ROOT, check=True
    )
    try:
        smoke = Smoke()
        for check in CHECKS:
            try:
                check(smoke)
                said = "ok"
            except Exception as error:  # noqa: BLE001 (every check is tried)
                failures += 1
                said = f"FAILED: {error}"
            sys.stdout.write(f"{check.__name__}: {said}\n")
    finally:
        subprocess.run([str(CDK), "destroy", f"-cstage={STAGE}", "--force"], cwd=ROOT, check=False)
    return failures


if __name__ == "__main__":
    sys.exit(main())
