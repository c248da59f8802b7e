"""The dashboard: the alarms, then rows in the order of a deletion's life."""

from collections.abc import Iterable, Sequence

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.watched import Watched, name_of

#: The title of a graph and its lines.
Graph = tuple[str, Sequence[cloudwatch.IMetric]]

GRAPHS_A_ROW = 3


def add_dashboard(
    scope: Construct, *, stage: str, alarms: Iterable[cloudwatch.Alarm], watched: Watched
) -> cloudwatch.Dashboard:
    graphs = [
        cloudwatch.GraphWidget(title=title, left=lines, width=8, height=6)
        for title, lines in (*_deletion_graphs(watched), *_service_graphs(watched))
    ]
    states = cloudwatch.AlarmStatusWidget(title="Alarms", alarms=[*alarms], width=24, height=4)
    rows = [graphs[start : start + GRAPHS_A_ROW] for start in range(0, len(graphs), GRAPHS_A_ROW)]
    return cloudwatch.Dashboard(
        scope,
        "Dashboard",
        # Dashboards of all regions share their names.
        dashboard_name=f"unlink-{stage}-{Stack.of(scope).region}",
        widgets=[[states], *rows],
    )


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
            "2 Requeued or left",
            [
                own("Requeues", "Sum", "requeued"),
                own("DeletionsWithoutWorker", "Maximum", "without a worker"),
            ],
        ),
        ("3 Sent again for load", [own("ThrottledStatements", "Sum", "statements")]),
        (
            "4 Waiting in queues",
            [
                queue.metric_approximate_number_of_messages_visible(label=name_of(queue))
                for queue in (*watched.queues, *watched.dead_letter_queues)
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
                function.metric("IteratorAge", statistic="Maximum", label=name_of(function))
                for function in watched.stream_functions()
            ],
        ),
    ]


def _service_graphs(watched: Watched) -> list[Graph]:
    api = watched.api_metric
    return [
        ("Requests", [api(name, "Sum", label=name) for name in ("Count", "4XXError", "5XXError")]),
        ("Latency (ms)", [api("Latency", each, label=each) for each in ("p50", "p99")]),
        (
            "Functions: p99 duration (ms)",
            [
                function.metric_duration(statistic="p99", label=name_of(function))
                for function in watched.functions
            ],
        ),
        (
            "Functions: concurrent",
            [
                function.metric(
                    "ConcurrentExecutions", statistic="Maximum", label=name_of(function)
                )
                for function in watched.functions
            ],
        ),
        *(
            (
                f"Tables: {title}",
                [
                    table.metric(name, statistic="Sum", label=name_of(table))
                    for table in watched.tables
                ],
            )
            for title, name in (
                ("write units", "ConsumedWriteCapacityUnits"),
                ("read units", "ConsumedReadCapacityUnits"),
            )
        ),
    ]
