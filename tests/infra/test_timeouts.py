"""Each wait ends before the one around it: call < deadline < function < gateway < queue."""

from functions import authorizer, redirect
from functions.unlink import http
from functions.unlink.stores.client import client
from tests.template import Template, resources


def timeouts(template: Template) -> dict[str, int]:
    return {
        function["Properties"]["Handler"].split(".")[1]: function["Properties"]["Timeout"]
        for function in resources(template, "AWS::Lambda::Function").values()
    }


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


def test_patience_ends_before_the_function(template: Template) -> None:
    limits = timeouts(template)
    assert limits["redirect"] > redirect.LINK_PATIENCE + redirect.CLICK_PATIENCE
    assert limits["authorizer"] > authorizer.PATIENCE
    assert 0 < http.ANSWER_MARGIN < limits["deletions"]


def test_a_call_that_hangs_ends_before_its_function(template: Template) -> None:
    config = client("dynamodb").meta.config
    assert config.connect_timeout + config.read_timeout < timeouts(template)["deletions"]
    assert config.retries["total_max_attempts"] == 1
