"""Checks that any deployed stack answers, the local one too."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.request import urlopen

from admin.failed_records import replay
from tests.smoke.stage import Smoke, expect, wait


def repeated_remove_clauses(smoke: Smoke) -> None:
    """The grammar of the delete's statement is accepted, and a failed condition is named.

    The PartiQL reference allows several REMOVE clauses, but shows none. It is tried first: if it is
    refused, every delete is; docs/decisions/141-repeated-remove-clauses.md has the alternative.
    """
    dynamodb, table = smoke.client("dynamodb"), smoke.outputs["LinksTableName"]
    key = {"pk": {"S": smoke.workspace}, "sk": {"S": "SMOKE"}}
    old = {name: {"S": name} for name in ("one", "two", "three")}
    dynamodb.put_item(TableName=table, Item=key | old)
    statement = {
        "Statement": f'UPDATE "{table}" SET "four"=? SET "five"=? REMOVE "one" REMOVE "two" '
        'REMOVE "three" WHERE "pk"=? AND "sk"=? AND "one" IS NOT MISSING',
        "Parameters": [{"S": "4"}, {"S": "5"}, key["pk"], key["sk"]],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    try:
        [first] = dynamodb.batch_execute_statement(Statements=[statement])["Responses"]
        expect("Error" not in first, f"refused: {first}")
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        expect(item == key | {"four": {"S": "4"}, "five": {"S": "5"}}, f"wrote {item}")
        [second] = dynamodb.batch_execute_statement(Statements=[statement])["Responses"]
        code = second.get("Error", {}).get("Code")
        expect(code == "ConditionalCheckFailed", f"a failed condition answers {second}")
    finally:
        dynamodb.delete_item(TableName=table, Key=key)


def diff_is_empty(smoke: Smoke) -> None:
    """`cdk diff` says nothing after a deployment."""
    expect(smoke.cdk("diff", "--fail") == 0, "there are differences, or it failed")


def delete_body_and_statement(smoke: Smoke) -> None:
    """DELETE with a body reaches the function; the PartiQL statement and its permissions work."""
    link = smoke.create()
    status, response, _ = smoke.call("DELETE", "/api/links", json.dumps([link["id"]]).encode())
    expect((status, response) == (200, {"deletedIds": [link["id"]]}), f"{status}: {response}")
    status, _, _ = smoke.call("GET", f"/{link['shortCode']}")
    expect(status == 404, f"the redirect still answers {status}")


def refusals_are_mapped(smoke: Smoke) -> None:
    """A wrong key is 401 with both contracts' body, an unknown route 404."""
    status, response, _ = smoke.call("GET", "/api/links", key="invalid")
    expect(status == 401 and response["error"]["en"] == "Invalid API key", f"{status}: {response}")
    status, response, _ = smoke.call("GET", "/api/nothing")
    expect(status == 404 and response["message"] == "Route not found", f"{status}: {response}")


def payload_limits(smoke: Smoke) -> None:
    """Five megabytes are refused with the service's 413, not with the gateway's own text."""
    status, response, _ = smoke.call("DELETE", "/api/links", b"[" + b" " * 5_000_000 + b"]")
    expect(status == 413 and "error" in response, f"{status}: {response}")


def unreadable_records_are_kept(smoke: Smoke) -> None:
    """A stream record that cannot be parsed goes to the failures bucket; the redrive reads it."""
    table, strange = smoke.outputs["LinksTableName"], f"strange-{uuid.uuid4().hex}"
    dynamodb = smoke.client("dynamodb")
    key = {"pk": {"S": strange}, "sk": {"S": "LINK"}}
    dynamodb.put_item(TableName=table, Item=key)
    dynamodb.delete_item(TableName=table, Key=key)
    [aside] = wait("a failed record", lambda: smoke.failed_records(strange), minutes=5, pause=2)
    bucket = smoke.outputs["FailuresBucketName"]
    # It still cannot be parsed, so it stays.
    [(_, problem)] = replay(smoke.client, bucket, aside)
    expect(problem == "1 of 1 records failed", f"the redrive says {problem}")
    smoke.client("s3").delete_object(Bucket=bucket, Key=aside)


def erasure_and_its_rights(smoke: Smoke) -> None:
    """The erasing transaction, stream, queue and receipt, each under its own role."""
    status, response, headers = smoke.erased
    expect(status == 200, f"{status}: {response}")
    record = wait("a receipt", lambda: complete(smoke, headers["x-deletion-id"]), minutes=20)
    expect(record["receipt"]["links"] == 1, f"receipt {record['receipt']}")


def complete(smoke: Smoke, deletion_id: str) -> dict[str, Any] | None:
    _, record, _ = smoke.call("GET", f"/api/deletions/{deletion_id}")
    return dict(record) if record.get("state") == "complete" else None


def exports_are_fetched(smoke: Smoke) -> None:
    """A signed URL of an export works, and its file holds the link."""
    link = smoke.create()
    lines = export_of(smoke, link["id"], minutes=5)
    expect([line["type"] for line in lines] == ["link"], f"{len(lines)} lines")
    expect(lines[0]["id"] == link["id"], f"the link {lines[0]['id']}")


def export_of(smoke: Smoke, link_id: str, *, minutes: float) -> list[dict[str, Any]]:
    """The lines of a new export of a link, fetched by its signed URL."""
    status, export, _ = smoke.call("POST", f"/api/analytics/links/{link_id}/export")
    expect(status == 202, f"{status}: {export}")

    def complete_export() -> dict[str, Any] | None:
        _, found, _ = smoke.call("GET", f"/api/analytics/links/{link_id}/export/{export['id']}")
        expect(found["state"] != "failed", f"the export failed: {found}")
        return dict(found) if found["state"] == "complete" else None

    found = wait("the export", complete_export, minutes=minutes, pause=2)
    with urlopen(found["url"], timeout=60) as response:
        return [json.loads(line) for line in response]


def usage_plan_throttles(smoke: Smoke) -> None:
    """More than a window's worth at once: some are refused, all with Retry-After."""
    refused = []
    for _ in range(330):
        status, _, headers = smoke.call("GET", "/api/links?limit=1")
        if status == 429:
            refused.append(headers)
        if len(refused) == 10:
            break
    expect(bool(refused), "nothing was refused")
    expect(all("retry-after" in each for each in refused), "a 429 without Retry-After")
