"""Costs on AWS: measured requests and units, times list prices. Prints docs/costs.md.

Requests and capacity units come from the simulations of this directory, the times a function is
billed for from `BILLED_MS`; prices are of us-east-1 and written down here, where they can be
changed. No AWS service is called.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import capacity
from bench.erasure import Simulated, erase
from bench.simulated import Simulation, isolate, link_ids, link_item
from bench.soft_delete import Unlink, UpdateLoop, measure
from infra.lambdas.base import FEW_CALLS_MB, ONE_VCPU_MB
from infra.lambdas.workers import ERASE_MB

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
    "Dashboard month": 3.00,
    "CloudFront HTTPS request": 1.00e-6,
}

#: Milliseconds that a warm function is billed for: what `bench memory` measured at the function's
#: size, with an engine on the same machine, and 4 ms more for each call over a region's network.
#: Not verified on AWS.
BILLED_MS = {"redirect": 6 + 2 * 4, "one delete": 11 + 6 * 4, "bulk delete": 600, "erase": 300}
SCHEDULE_MS = 19 + 24 * 4

MEMORY_MB = {
    "redirect": FEW_CALLS_MB,
    "one delete": FEW_CALLS_MB,
    "bulk delete": ONE_VCPU_MB,
    "erase": ERASE_MB,
}

LOG_BYTES = {"redirect": 1_100, "api": 1_600}


@dataclass
class Bill:
    """Lines of one thing's price: what, how many, dollars."""

    lines: list[tuple[str, float, float]]

    @classmethod
    def of(cls, **amounts: float) -> Bill:
        names = {key.replace(" ", "_").replace(",", "").replace("-", "_"): key for key in PRICES}
        return cls(
            [(names[key], amount, amount * PRICES[names[key]]) for key, amount in amounts.items()]
        )

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
    """A DELETE a link over HTTP, each one `update_item`: what a first version does."""
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
    erase(simulated, [simulated.add_link(clicks)])
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


def idle_month(*, alarms: int, own_metrics: int) -> Bill:
    """Without callers: the schedule runs each minute and reads 24 shards of an index."""
    minutes = 30 * 24 * 60
    return Bill.of(
        Lambda_request=minutes,
        Lambda_GB_second_arm64=minutes * SCHEDULE_MS / 1000 * ONE_VCPU_MB / 1024,
        DynamoDB_read_unit=minutes * 24 * 0.5,
        Logs_GB=minutes * 800 / 1e9,
        # Four pollers of each of two queues, each call waits twenty seconds.
        SQS_request=2 * 5 * 3 * minutes,
        Alarm_month=alarms,
        Custom_metric_month=own_metrics,
        Dashboard_month=1,
        Secret_month=2,
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
    mine, theirs = bulk_delete(10_000), naive_delete(10_000)
    rest = redirects(1_000)
    http = rest.total - 1_000 * (PRICES["REST API request"] - PRICES["HTTP API request"])
    cdn = rest.total + 1_000 * PRICES["CloudFront HTTPS request"]
    print("| What | Dollars | Naive | What the naive design does |")
    print("|---|---:|---:|---|")
    counted = rest.total + 1_000 * PRICES["DynamoDB write unit"]
    print(
        f"| 1,000 redirects | {rest.total:.4f} | {counted:.4f}"
        " | also rewrites the link's counter at each click |"
    )
    print(
        f"| soft delete of 10,000 links, one request | {mine.total:.4f} | {theirs.total:.4f}"
        " | 10,000 requests, one `UpdateItem` each |"
    )
    for clicks in (0, 1_000):
        one = erased(clicks)
        naive = one.total + clicks * 2 * PRICES["DynamoDB read unit"]
        print(
            f"| one erased link with {clicks:,} clicks | {one.total:.6f} | {naive:.6f}"
            " | reads whole clicks by `Query` before it deletes them one by one |"
        )
    idle = idle_month(alarms=alarms_of_production(), own_metrics=9)
    print(f"| an idle month | {idle.total:.2f} | | |")
    print("\n### Where the money goes\n")
    for title, bill in (
        ("1,000 redirects", rest),
        ("10,000 links, one request", mine),
        ("an idle month", idle),
    ):
        print(f"**{title}**\n\n| | Amount | Dollars | Share |\n|---|---:|---:|---:|")
        for what, amount, dollars in sorted(bill.lines, key=lambda line: -line[2]):
            print(f"| {what} | {amount:,.4g} | {dollars:.6f} | {dollars / bill.total:.0%} |")
        print()
    print("### What another front would change for 1,000 redirects\n")
    print("| Front | Dollars | |\n|---|---:|---|")
    print(f"| REST API (now) | {rest.total:.4f} | usage plans, gateway answers, WAF |")
    print(
        f"| HTTP API | {http:.4f} | {1 - http / rest.total:.0%} less; a second API for one route |"
    )
    print(f"| CloudFront before the REST API | {cdn:.4f} | nearer to visitors; nothing is kept |")


def alarms_of_production() -> int:
    from tests.support.template import resources, synthesized_template

    return len(resources(synthesized_template("prod"), "AWS::CloudWatch::Alarm"))


if __name__ == "__main__":
    main()
