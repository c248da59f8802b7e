"""Each wait ends before the one around it: call < margin, deadline < function < gateway < queue."""

from typing import Any

import pytest

from functions.api import app, rate_limit, redirect_response
from functions.aws.client import client, low_latency_client
from functions.handlers import (
    authorizer,
    click_stream,
    deletion_stream,
    deletion_worker,
    erase_worker,
    export_worker,
    link_stream,
    redirect,
    scheduler,
)
from functions.services import leases, run_deletion
from tests.support.template import Template, functions, invoked_function, properties_of


def timeouts(template: Template) -> dict[str, int]:
    return {name: function["Timeout"] for name, function in functions(template).items()}


def longest_call(client: Any) -> float:
    """Seconds that one call may hang: it is connected, sent once, and never answered."""
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    return float(config.connect_timeout + config.read_timeout)


def test_a_function_ends_before_the_gateway_times_out(template: Template) -> None:
    for method in properties_of(template, "AWS::ApiGateway::Method"):
        integration = method["Integration"]
        if integration["Type"] == "AWS_PROXY":
            function = invoked_function(template, integration["Uri"])
            assert function["Timeout"] * 1_000 < integration["TimeoutInMillis"] <= 29_000


@pytest.mark.parametrize("service", ["dynamodb", "events", "s3", "secretsmanager", "sqs"])
@pytest.mark.parametrize(
    "module",
    [
        deletion_stream,
        link_stream,
        erase_worker,
        export_worker,
        app,
        deletion_worker,
        scheduler,
        click_stream,
    ],
)
def test_a_call_that_hangs_at_the_deadline_leaves_a_second(
    template: Template, service: str, module: Any
) -> None:
    margin = getattr(module, "ANSWER_MARGIN", None) or module.RESERVED_SECONDS
    assert longest_call(client(service)) + 1 <= margin
    name = module.__name__.rpartition(".")[2]
    for function in ["links", "deletions", "analytics", "qr"] if module is app else [name]:
        assert margin < timeouts(template)[function]


def test_retries_and_a_hanging_call_end_before_the_function_times_out(template: Template) -> None:
    limits, hanging = timeouts(template), longest_call(low_latency_client("dynamodb"))
    assert redirect.LINK_TIMEOUT + hanging < limits["redirect"]
    assert (
        redirect.LINK_TIMEOUT + redirect_response.CLICK_TIMEOUT + 2 * hanging <= limits["redirect"]
    )
    assert authorizer.TIMEOUT + hanging < limits["authorizer"]


def test_a_lease_is_longer_than_its_workers_timeout() -> None:
    assert leases.LEASE_MARGIN >= app.RESERVED_SECONDS
    assert leases.LEASE_MARGIN >= deletion_worker.RESERVED_SECONDS
    assert leases.LEASE_MARGIN >= scheduler.RESERVED_SECONDS


def test_a_worker_has_the_time_that_resolving_a_filter_may_take(template: Template) -> None:
    assert (
        timeouts(template)["deletion_worker"]
        > run_deletion.RESOLVE_SECONDS + deletion_worker.RESERVED_SECONDS + 10
    )


def test_the_wait_for_the_rate_counter_covers_a_whole_call() -> None:
    """Otherwise a thread of the request could still wait for it."""
    assert longest_call(client("dynamodb")) < rate_limit.LIMITER_WAIT
