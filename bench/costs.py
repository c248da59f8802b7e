"""Costs on AWS: measured requests and units, times list prices. Prints docs/costs.md.

Requests and capacity units come from the simulations of this directory, the times a function is
billed for from `BILLED_MS`; prices are of us-east-1 and written down here, where they can be
changed. No AWS service is called.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import capacity, clicks
from bench.clicks import Counting
from bench.emulator import tables_in_process
from bench.erasure import Simulated, erase
from bench.implementations import Unlink, UpdateLoop
from bench.simulated import Simulation, isolate, link_ids, link_item
from bench.soft_delete import measure
from functions.metrics import definitions
from functions.repositories.open_index import OPEN_SHARDS
from infra.sizes import BACKGROUND_MB, FEW_CALLS_MB, ONE_VCPU_MB

#: Dollars, us-east-1, on demand, without free tiers. Compared in November 2026 with published
#: copies of the price pages of DynamoDB, API Gateway and CloudWatch; the rest is of November 2025.
PRICES = {
    "DynamoDB read unit": 0.125e-6,
    "DynamoDB write unit": 0.625e-6,
    "DynamoDB GB-month": 0.25,
    "DynamoDB PITR GB-month": 0.20,
    "REST API request": 3.50e-6,
    "HTTP API request": 1.00e-6,
    "Lambda request": 0.20e-6,
    "Lambda GB-second, arm64": 0.0000133334,
    "Logs GB": 0.50,
    "SQS request": 0.40e-6,
    "Alarm month": 0.10,
    "Custom metric month": 0.30,
    "Secret month": 0.40,
    "KMS key month": 1.00,
    "KMS signature": 0.000015,
    "Dashboard month": 3.00,
    "CloudFront HTTPS request": 1.00e-6,
}

#: Milliseconds that a warm function is billed for: what `bench memory` measured at the function's
#: size, with an emulator on the same machine, and 4 ms more for each call over a region's network.
#: Not verified on AWS.
BILLED_MS = {
    "redirect": 6 + 2 * 4,
    "count, lone": 16 + 3 * 4,
    "count, many links": 98 + 3 * 4,
    "count, one link": 35 + 8 * 4,
    "one delete": 11 + 6 * 4,
    "bulk delete": 600,
    "erase": 300,
}
#: Queries of the index of open work by the two schedules: a shard each, of three kinds and of one.
SCHEDULE_READS, SIGNER_READS = 3 * OPEN_SHARDS, OPEN_SHARDS
SCHEDULE_MS = 22 + SCHEDULE_READS * 4
#: Not measured: its calls and the start of a run.
SIGNER_MS = 10 + SIGNER_READS * 4

MEMORY_MB = {
    "redirect": FEW_CALLS_MB,
    "count, lone": FEW_CALLS_MB,
    "count, many links": FEW_CALLS_MB,
    "count, one link": FEW_CALLS_MB,
    "one delete": FEW_CALLS_MB,
    "bulk delete": ONE_VCPU_MB,
    "erase": BACKGROUND_MB,
}

#: Bytes of log lines of one invocation. Lambda's own are about 800 of those of `api`; the two
#: functions that run for each visit have none (`platform_logs`).
LOG_BYTES = {"redirect": 400, "click_stream": 400, "api": 1_600}

#: How 1,000 clicks arrive: the cost of counting depends on it.
HOT = "10 a second on one link"
MANY = "4 a second, each on another link"
ALONE = "one in ten seconds"


@dataclass
class Bill:
    """The lines of one bill: what, how many, dollars."""

    lines: list[tuple[str, float, float]]

    @classmethod
    def of(cls, **amounts: float) -> Bill:
        names = {key.replace(" ", "_").replace(",", "").replace("-", "_"): key for key in PRICES}
        return cls(
            [(names[key], amount, amount * PRICES[names[key]]) for key, amount in amounts.items()]
        )

    def __add__(self, other: Bill) -> Bill:
        lines = {what: (amount, dollars) for what, amount, dollars in self.lines}
        for what, amount, dollars in other.lines:
            before = lines.get(what, (0.0, 0.0))
            lines[what] = (before[0] + amount, before[1] + dollars)
        return Bill([(what, *sums) for what, sums in lines.items()])

    @property
    def total(self) -> float:
        return sum(dollars for _, _, dollars in self.lines)


def gb_seconds(what: str) -> float:
    return BILLED_MS[what] / 1000 * MEMORY_MB[what] / 1024


def redirects(count: int) -> Bill:
    """A remembered code: one strong read of the link, one write of the click."""
    link = link_item(link_ids(1)[0])
    return Bill.of(
        REST_API_request=count,
        Lambda_request=count,
        Lambda_GB_second_arm64=count * gb_seconds("redirect"),
        DynamoDB_read_unit=count * capacity.read_units(link),
        DynamoDB_write_unit=count * 1,
        Logs_GB=count * LOG_BYTES["redirect"] / 1e9,
    )


def counting(cost: Counting, what: str) -> Bill:
    """Counting the clicks of the redirects, scaled to 1,000."""
    each = 1_000 / cost.clicks
    return Bill.of(
        Lambda_request=cost.invocations * each,
        Lambda_GB_second_arm64=cost.invocations * each * gb_seconds(what),
        DynamoDB_read_unit=cost.read_units * each,
        DynamoDB_write_unit=cost.write_units * each,
        Logs_GB=cost.invocations * each * LOG_BYTES["click_stream"] / 1e9,
    )


def counted_redirects() -> dict[str, tuple[Bill, Bill]]:
    """1,000 redirects with the counting of their clicks, ours and the naive; needs an emulator.

    Every click is of a visitor who is new to the link and day, which costs the most.
    """
    hot, lone = clicks.hot_link(60), clicks.lone_clicks(40)
    placed = clicks.hot_link(60, places=True)
    alone = Counting(1, 1, lone.read_units / lone.clicks, lone.write_units / lone.clicks)
    rest = redirects(1_000)

    def naive(day_bytes: int) -> Bill:
        return rest + counting(clicks.naive(1_000, day_bytes), "count, lone")

    return {
        HOT: (rest + counting(hot, "count, one link"), naive(hot.day_bytes)),
        f"{HOT}, with places": (
            rest + counting(placed, "count, one link"),
            naive(placed.day_bytes),
        ),
        MANY: (rest + counting(lone, "count, many links"), naive(0)),
        ALONE: (rest + counting(alone, "count, lone"), naive(0)),
    }


def bulk_delete(links: int) -> Bill:
    simulation = Simulation()
    cost = measure(Unlink(simulation).delete, link_ids(links), simulation)
    return Bill.of(
        REST_API_request=1,
        Lambda_request=1,
        Lambda_GB_second_arm64=gb_seconds("bulk delete"),
        # The request's own window in the rate table is one more write.
        DynamoDB_read_unit=cost.read_units,
        DynamoDB_write_unit=cost.write_units + 1,
        Logs_GB=LOG_BYTES["api"] / 1e9,
    )


def naive_delete(links: int) -> Bill:
    """One DELETE for each link over HTTP, each one `update_item`, as in a first version."""
    simulation = Simulation()
    some = link_ids(1_000)
    cost = measure(UpdateLoop(simulation).delete, some, simulation)
    each = links / len(some)
    return Bill.of(
        REST_API_request=links,
        Lambda_request=links,
        Lambda_GB_second_arm64=links * gb_seconds("one delete"),
        DynamoDB_read_unit=links,
        DynamoDB_write_unit=cost.write_units * each + links,
        Logs_GB=links * LOG_BYTES["api"] / 1e9,
    )


def erased(clicks: int) -> Bill:
    simulated = Simulated(latency=0)
    erase(simulated, [simulated.add_link(clicks, spread=clicks > 0)])
    return Bill.of(
        REST_API_request=1,
        Lambda_request=3,
        Lambda_GB_second_arm64=gb_seconds("erase"),
        SQS_request=3,
        DynamoDB_read_unit=simulated.read_units + 1,
        # Link and code in a transaction, double, with the link's index entry and two records.
        DynamoDB_write_unit=simulated.write_units + 2 * 4 + 1,
        Logs_GB=3 * LOG_BYTES["api"] / 1e9,
    )


def idle_month() -> Bill:
    """Production without callers: two schedules run each minute, and the queues are polled."""
    from tests.support.template import properties_of, resources, synthesized_template

    template = synthesized_template("prod")
    readers = properties_of(template, "AWS::Lambda::EventSourceMapping")
    queues = sum("StartingPosition" not in reader for reader in readers)
    minutes = 30 * 24 * 60
    return Bill.of(
        Lambda_request=2 * minutes,
        Lambda_GB_second_arm64=minutes
        * (SCHEDULE_MS / 1000 * FEW_CALLS_MB + SIGNER_MS / 1000 * BACKGROUND_MB)
        / 1024,
        DynamoDB_read_unit=minutes * (SCHEDULE_READS + SIGNER_READS) * 0.5,
        Logs_GB=minutes * 800 / 1e9,
        # Five pollers of each queue; a call waits for twenty seconds.
        SQS_request=queues * 5 * 3 * minutes,
        Alarm_month=len(resources(template, "AWS::CloudWatch::Alarm")),
        Custom_metric_month=len(definitions()["metrics"]),
        Dashboard_month=1,
        Secret_month=2,
        KMS_key_month=1,
        DynamoDB_GB_month=1,
        DynamoDB_PITR_GB_month=1,
    )


def main() -> None:
    isolate()
    print(
        "Prices are list prices of us-east-1 in `bench/costs.py`; requests and capacity units are "
        "measured against the simulations of `bench/`, billed times by `bench memory`, with an "
        "allowance for the network (`BILLED_MS`). Not verified on an AWS bill.\n"
    )
    unlink, theirs = bulk_delete(10_000), naive_delete(10_000)
    with tables_in_process():
        visits = counted_redirects()
    rest, _ = visits[HOT]
    http = rest.total - 1_000 * (PRICES["REST API request"] - PRICES["HTTP API request"])
    cdn = rest.total + 1_000 * PRICES["CloudFront HTTPS request"]
    print("| What | Dollars | Naive | What the naive design does |")
    print("|---|---:|---:|---|")
    for what, (bill, naive) in visits.items():
        print(
            f"| 1,000 redirects, counted: {what} | {bill.total:.4f} | {naive.total:.4f}"
            " | a transaction for each click: its mark, its visitor, the day, the link |"
        )
    print(
        f"| soft delete of 10,000 links, one request | {unlink.total:.4f} | {theirs.total:.4f}"
        " | 10,000 requests, one `UpdateItem` each |"
    )
    for number in (0, 1_000):
        one = erased(number).total
        naive_one = one + number * 2 * PRICES["DynamoDB read unit"]
        print(
            f"| one erased link with {number:,} clicks | {one:.6f} | {naive_one:.6f}"
            " | reads whole clicks by `Query` before it deletes them one by one |"
        )
    idle = idle_month()
    print(f"| an idle month | {idle.total:.2f} | | |")
    print("\n### Where the money goes\n")
    for title, bill in (
        (f"1,000 redirects, {HOT}", rest),
        (f"1,000 redirects, {ALONE}", visits[ALONE][0]),
        ("10,000 links, one request", unlink),
        ("an idle month", idle),
    ):
        print(f"**{title}**\n\n| | Amount | Dollars | Share |\n|---|---:|---:|---:|")
        for what, amount, dollars in sorted(bill.lines, key=lambda line: -line[2]):
            print(f"| {what} | {amount:,.4g} | {dollars:.6f} | {dollars / bill.total:.0%} |")
        print()
    print("### What another front would change for 1,000 redirects\n")
    print("| Front | Dollars | |\n|---|---:|---|")
    print(f"| REST API (now) | {rest.total:.4f} | usage plans, gateway responses, WAF |")
    print(
        f"| HTTP API | {http:.4f} | {1 - http / rest.total:.0%} less; a second API for one route |"
    )
    print(f"| CloudFront before the REST API | {cdn:.4f} | nearer to visitors; nothing is kept |")
