"""The dashboard: the alarms, then rows in the order of a deletion's life."""

from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.metrics import (
    FIVE_MINUTES,
    Metric,
    function_metric,
    name_of,
    queue_metric,
    table_metric,
)
from infra.watched import Watched


def add_dashboard(
    scope: Construct, *, stage: str, alarms: Iterable[cloudwatch.CfnAlarm], watched: Watched
) -> cloudwatch.CfnDashboard:
    stack = Stack.of(scope)
    widgets: list[dict[str, Any]] = [
        {
            "type": "alarm",
            "width": 24,
            "height": 4,
            "properties": {"title": "Alarms", "alarms": [alarm.attr_arn for alarm in alarms]},
        }
    ]
    widgets += [
        {
            "type": "metric",
            "width": 8,
            "height": 6,
            "properties": {
                "title": title,
                "region": stack.region,
                "period": FIVE_MINUTES,
                "view": "timeSeries",
                "metrics": [each.line() for each in lines],
            },
        }
        for title, lines in (*_deletion_graphs(watched), *_service_graphs(watched))
    ]
    return cloudwatch.CfnDashboard(
        scope,
        "Dashboard",
        # Dashboards of all regions share their names.
        dashboard_name=f"unlink-{stage}-{stack.region}",
        dashboard_body=stack.to_json_string({"widgets": widgets}),
    )


Graph = tuple[str, Sequence[Metric]]


def _deletion_graphs(watched: Watched) -> list[Graph]:
    own = watched.own_metric
    return [
        (
            "1 Links deleted",
            [
                own("LinksSoftDeleted", "Sum", "soft-deleted"),
                own("LinksErased", "Sum", "erased"),
                own("LinksRestored", "Sum", "restored"),
            ],
        ),
        (
            "2 Handed over or left",
            [
                own("HandOvers", "Sum", "handed over"),
                own("LapsedDeletions", "Maximum", "without a worker"),
            ],
        ),
        ("3 Sent again for load", [own("ThrottledStatements", "Sum", "statements")]),
        (
            "4 Waiting in queues",
            [
                queue_metric(each, "ApproximateNumberOfMessagesVisible", "Maximum")
                for each in (*watched.queues, *watched.dead_letter_queues)
            ],
        ),
        (
            "5 Seconds until the receipt",
            [
                own("ErasureLag", "p50", "median"),
                own("ErasureLag", "p99", "p99"),
                own("OldestErasure", "Maximum", "oldest without a receipt"),
                own("OldestUnsignedReceipt", "Maximum", "oldest without a signature"),
            ],
        ),
        (
            "6 Behind the streams (ms)",
            [
                function_metric(each, "IteratorAge", "Maximum")
                for each in watched.stream_functions()
            ],
        ),
    ]


def _service_graphs(watched: Watched) -> list[Graph]:
    return [
        (
            "Requests",
            [watched.api_metric(each, "Sum") for each in ("Count", "4XXError", "5XXError")],
        ),
        ("Latency (ms)", [watched.api_metric("Latency", each) for each in ("p50", "p99")]),
        (
            "Functions: p99 duration (ms)",
            [function_metric(each, "Duration", "p99") for each in watched.functions],
        ),
        (
            "Functions: concurrent",
            [
                function_metric(each, "ConcurrentExecutions", "Maximum")
                for each in watched.functions
            ],
        ),
        *(
            (
                f"Tables: {title}",
                [
                    table_metric(table, name, "Sum", label=name_of(table))
                    for table in watched.tables
                ],
            )
            for title, name in (
                ("write units", "ConsumedWriteCapacityUnits"),
                ("read units", "ConsumedReadCapacityUnits"),
            )
        ),
    ]
