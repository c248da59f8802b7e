"""Each wait ends before the one around it: call < margin, deadline < function < gateway < queue."""

from typing import Any

import pytest

from functions import announce, authorizer, cleanup, erase, export, redirect, resume, tally
from functions.unlink import http
from functions.unlink.procedures import deletion
from functions.unlink.stores.client import brief_client, client
from tests.template import Template, resources


def timeouts(template: Template) -> dict[str, int]:
    return {
        function["Properties"]["Handler"].split(".")[1]: function["Properties"]["Timeout"]
        for function in resources(template, "AWS::Lambda::Function").values()
    }


def longest_call(client: Any) -> float:
    """Seconds that one call may hang: it is connected, sent once, and never answered."""
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    return float(config.connect_timeout + config.read_timeout)


def test_a_function_behind_the_gateway_ends_before_the_gateway_gives_up(
    template: Template,
) -> None:
    limits = {
        method["Properties"]["Integration"]["TimeoutInMillis"] / 1000
        for method in resources(template, "AWS::ApiGateway::Method").values()
        if method["Properties"]["Integration"]["Type"] == "AWS_PROXY"
    }
    assert limits == {29}
    for name in ("links", "deletions", "redirect"):
        assert timeouts(template)[name] < 29


@pytest.mark.parametrize("service", ["dynamodb", "events", "s3", "secretsmanager", "sqs"])
@pytest.mark.parametrize("module", [announce, cleanup, erase, export, http, resume, tally])
def test_a_call_that_hangs_at_the_deadline_leaves_a_second_of_the_margin(
    template: Template, service: str, module: Any
) -> None:
    margin = getattr(module, "ANSWER_MARGIN", None) or module.MARGIN
    assert longest_call(client(service)) + 1 <= margin
    name = module.__name__.rpartition(".")[2]
    for function in ["links", "deletions", "analytics", "qr"] if module is http else [name]:
        assert margin < timeouts(template)[function]


def test_patience_and_a_call_that_hangs_end_before_the_function(template: Template) -> None:
    limits, hanging = timeouts(template), longest_call(brief_client("dynamodb"))
    assert redirect.LINK_PATIENCE + hanging < limits["redirect"]
    assert redirect.LINK_PATIENCE + redirect.CLICK_PATIENCE + 2 * hanging <= limits["redirect"]
    assert authorizer.PATIENCE + hanging < limits["authorizer"]


def test_a_lease_outlives_the_function_of_its_worker() -> None:
    assert deletion.LEASE_MARGIN >= http.ANSWER_MARGIN
    assert deletion.LEASE_MARGIN >= resume.MARGIN


def test_a_worker_has_the_time_that_resolving_a_filter_may_take(template: Template) -> None:
    assert timeouts(template)["resume"] > deletion.RESOLVE_SECONDS + resume.MARGIN + 10


def test_the_rate_counter_is_waited_for_until_its_call_has_ended() -> None:
    """So that none of the threads that a request works with still hangs on it."""
    assert longest_call(client("dynamodb")) < http.LIMITER_WAIT
