"""Checks of what the emulator does not do."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from admin.failed_records import replay
from functions.aws.codec import to_item
from functions.domain.clock import iso
from functions.domain.ids import new_click_id
from functions.repositories.clicks import ClicksTable
from tests.smoke.everywhere import complete, export_of
from tests.smoke.stage import Failed, Smoke, expect, wait
from tests.smoke.versions import broken, move_alias, version_of

#: Visits of a large export, and the bytes of each: 36 MB, in items of at most 400 KB.
CLICKS, CLICK_BYTES = 120, 300_000


def settings_that_the_emulator_drops(smoke: Smoke) -> None:
    """TTL, PITR, lifecycle and the key source are really on."""
    dynamodb = smoke.client("dynamodb")
    for name in ("Links", "Clicks", "Deletions", "Access"):
        table = smoke.outputs[f"{name}TableName"]
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        expect(ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}, f"{table}: {ttl}")
        backup = dynamodb.describe_continuous_backups(TableName=table)
        recovery = backup["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        expect(recovery["PointInTimeRecoveryStatus"] == "ENABLED", f"{table}: {recovery}")
    for name in ("Qr", "Exports", "Failures"):
        rules = smoke.client("s3").get_bucket_lifecycle_configuration(
            Bucket=smoke.outputs[f"{name}BucketName"]
        )["Rules"]
        expect(bool(rules), f"the bucket {name} has no lifecycle")
    api = smoke.client("apigateway").get_rest_api(restApiId=smoke.outputs["ApiId"])
    expect(api["apiKeySource"] == "AUTHORIZER", f"key source {api['apiKeySource']}")


def alarms_reach_their_topic(smoke: Smoke) -> None:
    """CloudWatch may publish to the topic of the alarms."""
    # One that no deployment minds.
    alarms, [name] = smoke.client("cloudwatch"), smoke.named("CloudWatch::Alarm", "ErasureLate")
    alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a smoke test")

    def acted() -> list[str]:
        history = alarms.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
        return [str(each["HistorySummary"]) for each in history["AlarmHistoryItems"]]

    said = wait("an action of the alarm", acted, minutes=5)
    expect(said[0].startswith("Successfully executed action"), said[0])


def workers_may_send_to_themselves(smoke: Smoke) -> None:
    """Lambda's loop detection is off for the workers that send to their own queues, and only there.

    A large export or erasure would otherwise stop after about 16 messages.
    """
    functions = smoke.client("lambda")
    allowed = {
        name
        for name in smoke.named("Lambda::Function")
        if functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    }
    workers = {
        name
        for part in ("ExportWorker", "DeletionWorker", "EraseWorker")
        for name in smoke.named("Lambda::Function", part)
    }
    expect(allowed == workers, f"allowed for {sorted(allowed)}")


def large_exports_have_parts(smoke: Smoke) -> None:
    """An export of more than 32 MB, which is uploaded in three parts or more."""
    link = smoke.create()
    dynamodb, table = smoke.client("dynamodb"), smoke.outputs["ClicksTableName"]
    moment = int(time.time() * 1000) - CLICKS * 1_000
    clicks = [
        {
            "id": new_click_id(link["id"], milliseconds),
            "linkId": link["id"],
            "clickedAt": iso(milliseconds / 1000),
            "userAgent": "x" * CLICK_BYTES,
            # A bot's visit is not counted, so the stream has nothing to do.
            "isBot": True,
        }
        for milliseconds in range(moment, moment + CLICKS * 1_000, 1_000)
    ]
    for start in range(0, CLICKS, 5):
        requests = [
            {"PutRequest": {"Item": ClicksTable.key(click, one_partition=True) | to_item(click)}}
            for click in clicks[start : start + 5]
        ]
        while requests:
            written = dynamodb.batch_write_item(RequestItems={table: requests})
            requests = written["UnprocessedItems"].get(table, [])
    lines = export_of(smoke, link["id"], minutes=15)
    expect(len(lines) == 1 + CLICKS, f"{len(lines)} lines")
    size = sum(len(line.get("userAgent") or "") for line in lines)
    expect(size == CLICKS * CLICK_BYTES, f"{size} bytes of visits")


def redirects_are_found_in_the_logs(smoke: Smoke) -> None:
    """The runbook's query for visits finds one, by the id that the visitor got."""
    _, _, headers = smoke.call("GET", "/not-a-short-code-0")
    request_id = headers["x-request-id"]
    logs = smoke.client("logs")
    groups = smoke.named("Logs::LogGroup", "Redirect")

    def found() -> list[Any]:
        query = logs.start_query(
            logGroupNames=groups,
            startTime=int(time.time()) - 3_600,
            endTime=int(time.time()) + 60,
            queryString=f'filter service = "redirect" and gatewayRequestId = "{request_id}"',
        )["queryId"]
        while (result := logs.get_query_results(queryId=query))["status"] in (
            "Scheduled",
            "Running",
        ):
            time.sleep(1)
        return list(result["results"])

    wait("the visit's line", found, minutes=10, pause=15)


def braces_need_escapes(smoke: Smoke) -> None:
    """A raw brace in a visit's query is refused by the gateway, an escaped one is forwarded.

    If this fails because the raw one is answered too, docs/api.md asks for too much.
    """
    code = smoke.create()["shortCode"]
    status, _, headers = smoke.call("GET", f"/{code}?a=%7Bb%7D")
    location = headers.get("location", "")
    expect(status == 302 and location.endswith("a=%7Bb%7D"), f"escaped: {status} {location}")
    status, _, _ = smoke.call("GET", f"/{code}?a={{b}}")
    expect(400 <= status < 500, f"raw: {status}")


def who_refuses_a_large_body(smoke: Smoke) -> None:
    """Five megabytes, base64-encoded, exceed Lambda's 6 MB, so the gateway refuses them itself.

    Its response then has no rate-limit headers, which only functions add.
    """
    status, response, headers = smoke.call("DELETE", "/api/links", b"[" + b" " * 5_000_000 + b"]")
    expect(status == 413, f"{status}: {response}")
    expect("x-ratelimit-limit" not in headers, "a function has seen it")


def ping_is_the_gateways(smoke: Smoke) -> None:
    """Under a custom domain API Gateway answers /ping itself, so no short code may be `ping`."""
    expect(bool(smoke.domain_url), "give the stage a domain: --context domainName=…")
    with suppress(HTTPError), urlopen(f"{smoke.domain_url}/ping", timeout=30) as response:
        expect(response.status == 200, f"/ping answers {response.status}")
        return
    raise Failed("/ping reached the API: the domain does not reserve it")


def failed_batches_reach_the_bucket(smoke: Smoke) -> None:
    """A record on which a stream's reader always fails ends in the bucket, and can be replayed."""
    link = smoke.create()
    with broken(smoke, smoke.outputs["LinkStreamFunctionName"]) as version:
        move_alias(smoke, smoke.outputs["LinkStreamFunctionName"], version)
        smoke.client("dynamodb").delete_item(
            TableName=smoke.outputs["LinksTableName"], Key=smoke.key_of(link)
        )
        # Ten retries with a back-off of at most some minutes.
        [key] = wait(
            "a failed batch", lambda: smoke.failed_records(link["id"]), minutes=70, pause=20
        )
    [(_, problem)] = replay(smoke.client, smoke.outputs["FailuresBucketName"], key)
    expect(problem is None, f"the redrive says {problem}")


def failing_versions_are_rolled_back(smoke: Smoke) -> None:
    """CodeDeploy rolls a failing version back within its five minutes."""
    [function] = smoke.named("Lambda::Function", "Redirect")
    [application] = smoke.named("CodeDeploy::Application")
    [group] = smoke.named("CodeDeploy::DeploymentGroup", "Redirect")
    deploy, before = smoke.client("codedeploy"), version_of(smoke, function)
    with broken(smoke, function) as version:
        shift = {
            "version": 0.0,
            "Resources": [
                {
                    "redirect": {
                        "Type": "AWS::Lambda::Function",
                        "Properties": {
                            "Name": function,
                            "Alias": "live",
                            "CurrentVersion": before,
                            "TargetVersion": version,
                        },
                    }
                }
            ],
        }
        started = deploy.create_deployment(
            applicationName=application,
            deploymentGroupName=group,
            revision={
                "revisionType": "AppSpecContent",
                "appSpecContent": {"content": json.dumps(shift)},
            },
        )["deploymentId"]

        def ended() -> str | None:
            for _ in range(10):
                smoke.call("GET", "/nothing")
            status = deploy.get_deployment(deploymentId=started)["deploymentInfo"]["status"]
            return str(status) if status in {"Succeeded", "Failed", "Stopped"} else None

        status = wait("the end of the deployment", ended, minutes=15, pause=2)
        expect(status != "Succeeded", "the failing version went live")
        wait(
            "the version before", lambda: version_of(smoke, function) == before, minutes=5, pause=5
        )


def expired_links_are_erased(smoke: Smoke) -> None:
    """A link past its retention is removed by TTL, and its erasure starts by itself."""
    link = smoke.create()
    smoke.call("DELETE", "/api/links", json.dumps([link["id"]]).encode())
    # As if the retention had ended a minute ago.
    smoke.client("dynamodb").update_item(
        TableName=smoke.outputs["LinksTableName"],
        Key=smoke.key_of(link),
        UpdateExpression="SET #ttl=:past",
        ConditionExpression="attribute_exists(pk) AND attribute_exists(#ttl)",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 60)}},
    )

    def erased() -> dict[str, Any] | None:
        _, response, _ = smoke.call("GET", "/api/deletions")
        for each in response["deletions"]:
            if each["actor"].get("service") == "retention":
                return complete(smoke, each["id"])
        return None

    record = wait("a receipt", erased, minutes=smoke.ttl_hours * 60, pause=60)
    expect(record["receipt"]["links"] == 1, f"receipt {record['receipt']}")
