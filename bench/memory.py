"""The effect of a function's memory size: start, warm request, price.

Lambda gives processor by memory, so each function runs here under such a share of one processor:
the packaged files, in fresh processes, against an emulator that has the other processor and answers
in milliseconds, like DynamoDB. The two heavy workers run against the simulations of `bench/` at 8
ms a call, which serve 16 calls at a time as DynamoDB would. The shares are those of Lambda, the
processors those of this machine. Compare the rows; they are not times on AWS.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.costs import PRICES
from bench.emulator import NOON, WORKSPACE, a_click, new_links, tables
from bench.processor import niced, share_of
from functions.aws.client import client
from functions.aws.codec import to_item
from functions.domain.api_keys import generate_api_key
from functions.domain.clock import iso
from functions.domain.link import Link
from functions.domain.policies import Policies
from functions.repositories.access import AccessTable
from functions.repositories.api_keys import ApiKeysTable
from functions.repositories.clicks import ClicksTable
from infra.packaging import ROOT, Target, build_archive

SIZES = (128, 256, 512, 1_024, 1_769)
STARTS = 3

#: Requests after the first, in each process; fewer of those that work through many items.
WARM, WARM_BATCHES = 15, 2
AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.{n} Mobile/15E148 Safari/604.1"
)

#: Run in the fresh process: what Lambda's runtime does with a function, and a stopwatch.
_FUNCTION = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
import importlib
handler = importlib.import_module("functions.handlers." + sys.argv[2]).handler

class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "bench"
    def get_remaining_time_in_millis(self):
        return 600_000

seconds = []
for event in json.load(open(sys.argv[3])):
    response = handler(event, Context())
    assert (response or {}).get("statusCode", 200) < 400, response
    assert not (response or {}).get("batchItemFailures"), response
    now = time.perf_counter()
    seconds.append(now - began)
    began = now
"""

#: Of this program alone: `getrusage` would count the process that it was forked from.
_REPORT = """
peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")]
print("\\n" + json.dumps([seconds, peak[0]]))
"""

_SIMULATED = {
    "deletions, 10,000 links": """
from bench.simulated import Simulation, isolate, link_ids
from bench.implementations import Unlink
isolate()
simulation = Simulation(latency=0.008)
ids = link_ids(10_000)
simulation.prepare(ids)
unlink = Unlink(simulation)
unlink.delete(link_ids(25))
work = lambda: unlink.delete(ids)
""",
    "erase, 10,000 clicks": """
from bench.erasure import Simulated, erase
simulated = Simulated()
link_id = simulated.add_link(10_000)
work = lambda: erase(simulated, [link_id])
""",
}

_TIMED = """
import json, time
began = time.perf_counter()
work()
seconds = [0.0, time.perf_counter() - began]
"""


@dataclass
class Row:
    """The measurements of one function at one size; seconds and kilobytes."""

    starts: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    peak: int = 0

    def add(self, seconds: list[float], peak: int) -> None:
        self.starts.append(seconds[0])
        self.warm += seconds[1:]
        self.peak = max(self.peak, peak)


def main() -> None:
    print("| function | MB | start, ms | a warm request, ms | $ a million | peak, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    _whole_functions()
    for name, program in _SIMULATED.items():
        _print_rows(name, [sys.executable, "-c", program + _TIMED + _REPORT].copy)
    print(
        f"\nMedians of {STARTS} fresh processes: *start* is the import and the first request,"
        " *peak* what the process held resident. Dollars: Lambda's requests and GB-seconds alone."
    )


def _whole_functions() -> None:
    with tempfile.TemporaryDirectory() as directory, tables() as emulator:
        archive, _ = build_archive(Target.host())
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(directory)
        file = Path(directory, "events.json")
        program = [sys.executable, "-I", "-S", "-B", "-c", _FUNCTION + _REPORT, directory]
        for name, event in _scenes(emulator).items():
            module = name.partition(",")[0]
            warm = WARM_BATCHES if module in ("click_stream", "link_stream") else WARM

            def prepared(module: str = module, event: Any = event, warm: int = warm) -> list[str]:
                file.write_text(json.dumps([event() for _ in range(warm + 1)]))
                return [*program, module, str(file)]

            _print_rows(name, prepared)


def _print_rows(name: str, prepare: Callable[[], list[str]]) -> None:
    """One row per size; `prepare` sets up the data and returns the command."""
    for size in SIZES:
        row = Row()
        for _ in range(STARTS):
            row.add(*_run(prepare(), size))
        warm = statistics.median(row.warm)
        start = statistics.median(row.starts)
        dollars = PRICES["Lambda request"] + warm * size / 1024 * PRICES["Lambda GB-second, arm64"]
        print(
            f"| {name} | {size:,} | {f'{start * 1000:,.0f}' if start else '—'}"
            f" | {warm * 1000:,.1f} | {dollars * 1e6:,.2f} | {row.peak / 1024:.0f} |",
            flush=True,
        )


def _run(command: list[str], size: int) -> tuple[list[float], int]:
    with share_of(size) as limited:
        done = subprocess.run(
            niced([*limited, *command]), check=True, capture_output=True, text=True, cwd=ROOT
        )
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def _scenes(emulator: Any) -> dict[str, Callable[[], dict[str, Any]]]:
    """The next event of each function, on new data if it changes data."""
    from tests.support.api_gateway import api_event

    _environment(emulator)
    key = generate_api_key()
    access = AccessTable(client("dynamodb"), "access")
    access.create_workspace(
        WORKSPACE, plan="enterprise", usage_key="usage", usage_key_id="id", policies=Policies()
    )
    ApiKeysTable(client("dynamodb"), "access").create(
        key,
        key_id="key",
        workspace_id=WORKSPACE,
        scopes=["linksRead", "linksWrite"],
        user_id="bench",
        name="bench",
    )
    links = _links()
    shown = [next(links) for _ in range(50)]

    def api(route: str, **more: Any) -> dict[str, Any]:
        return api_event(route, workspace_id=WORKSPACE, **more)

    visits = iter(range(10**9))

    def visit() -> dict[str, Any]:
        number = next(visits)
        return {
            "httpMethod": "GET",
            "pathParameters": {"code": shown[number % 10].short_code},
            "queryStringParameters": None,
            "headers": {"User-Agent": AGENT.replace("{n}", str(number))},
            "requestContext": {"requestId": "bench", "identity": {"sourceIp": "192.0.2.1"}},
        }

    return {
        "redirect": visit,
        "authorizer": lambda: {
            "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/api/links",
            "headers": {"Authorization": f"Bearer {key}"},
        },
        "links, a page of 50": lambda: api("GET /api/links", query={"limit": "50"}),
        "deletions, 1 link": lambda: api("DELETE /api/links", body=[next(links).id]),
        "qr, a new image": lambda: api("GET /api/links/{id}/qr", at=next(links).id),
        "analytics, 30 days": lambda: api(
            "GET /api/analytics/links/{id}", path={"id": shown[0].id}
        ),
        "pages": lambda: api("GET /api/openapi.json"),
        "scheduler": lambda: {"source": "aws.events"},
        "click_stream, 1 click": lambda: {"Records": _clicked(shown, 1)},
        "click_stream, 10 clicks": lambda: {"Records": _clicked(shown, 10)},
        "click_stream, 25 clicks": lambda: {"Records": _clicked(shown, 25)},
        "link_stream, 100 links": lambda: {"Records": [_removed(next(links)) for _ in range(100)]},
    }


def _environment(emulator: Any) -> None:
    """The environment of the stack's functions, with buckets, queues and the secret of this
    emulator.
    """
    for bucket in ("qr", "exports", "failures"):
        emulator.client("s3").create_bucket(Bucket=f"bench-{bucket}")
        os.environ[f"{bucket.upper()}_BUCKET"] = f"bench-{bucket}"
    for queue in ("resume", "erase", "export"):
        response = emulator.client("sqs").create_queue(QueueName=queue)
        os.environ[f"{queue.upper()}_QUEUE_URL"] = response["QueueUrl"]
    response = emulator.client("secretsmanager").create_secret(Name="cursor", SecretString="s" * 64)
    os.environ |= {
        "CURSOR_SECRET_ARN": response["ARN"],
        "VISITOR_SECRET_ARN": response["ARN"],
        "EVENT_BUS": "default",
        "PUBLIC_BASE_URL": "http://short.test",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "SESSION_ISSUER": "http://issuer.test",
        "SESSION_CLIENT_IDS": "bench",
    }


def _links() -> Iterator[Link]:
    """An endless series of new links."""
    while True:
        yield from new_links(100)


def _clicked(links: list[Link], count: int) -> list[dict[str, Any]]:
    """A recorded click on each of this number of links, as stream records."""
    table = ClicksTable(client("dynamodb"), "clicks")
    records = []
    for number in range(count):
        click = a_click(links[number % len(links)].id, userAgent=AGENT)
        table.put(click)
        image = to_item(click) | table.key(click)
        records.append(
            {
                "eventName": "INSERT",
                "dynamodb": {"SequenceNumber": str(number + 100), "NewImage": image},
            }
        )
    return records


def _removed(link: Link) -> dict[str, Any]:
    """The record of a link that was soft-deleted and had an image."""
    key = {"pk": {"S": f"{WORKSPACE}#{link.id}"}, "sk": {"S": "LINK"}}
    before = key | {
        "id": {"S": link.id},
        "workspaceId": {"S": WORKSPACE},
        "shortCode": {"S": link.short_code},
        "livePk": {"S": WORKSPACE},
        "qrKeys": {"SS": [f"qr/{WORKSPACE}/{link.id}/image.png"]},
    }
    after = before | {"deletedAt": {"S": iso(NOON)}, "deletionId": {"S": link.id}}
    return {
        "eventName": "MODIFY",
        "dynamodb": {
            "Keys": key,
            "SequenceNumber": "100",
            "OldImage": before,
            "NewImage": {name: value for name, value in after.items() if name != "livePk"},
        },
    }
