"""Query parameters are parsed or refused, never ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.api.openapi.document import load_apis
from functions.api.route import Route
from functions.domain.errors import InvalidRequest
from functions.domain.query_params import parameters_of, parse_int_param
from functions.handlers import deletions
from tests.conftest import World
from tests.support.api_gateway import reply_to
from tests.support.openapi import operations

APIS = load_apis()
ROUTES = [route for api in APIS for route in api.routes]


def name_of(route: Route) -> str:
    return f"{route.method} {route.resource}"


@pytest.mark.parametrize("text", ["1", "007", "42", "100"])
def test_an_integer_in_range_is_accepted(text: str) -> None:
    assert parse_int_param(text, "limit", default=50, maximum=100) == int(text)


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "101", "1.0", "1e1", "٥", "000001000000", "000001" + "9" * 4400, "9" * 5000],
)
def test_any_other_value_is_refused(text: str) -> None:
    """Leading zeros must not hide digits, nor a long number take long to parse."""
    with pytest.raises(InvalidRequest) as refused:
        parse_int_param(text, "limit", default=50, maximum=100)
    assert refused.value.message == "limit must be an integer from 1 to 100"


def test_a_parameter_given_twice_is_refused() -> None:
    event = {
        "queryStringParameters": {"tag": "b"},
        "multiValueQueryStringParameters": {"tag": ["a", "b"]},
    }
    with pytest.raises(InvalidRequest, match="Parameter given more than once: tag"):
        parameters_of(event, ("tag",))


def test_missing_parameters_are_none() -> None:
    nothing = {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    assert parameters_of(nothing, ()) == {}


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_every_route_refuses_unknown_parameters(world: World, route: Route) -> None:
    """`?dryRun=true` on a DELETE must not delete."""
    [link] = world.create(1)
    names = [part[1:-1] for part in route.resource.split("/") if part.startswith("{")]
    takes_ids = route.resource in ("/api/links/bulk-delete", "/api/deletions")
    event = world.event(
        name_of(route),
        path=dict.fromkeys(names, link),
        query={"dryRun": "true"},
        body={"ids": [link]} if takes_ids else [link],
    )

    [api] = [each for each in APIS if route in each.routes]
    reply = reply_to(api.handle, event)

    assert reply.status == 400
    result = reply.json()
    if route.error_format == "hoko":
        assert result["error"] == {"en": "Invalid request", "ar": "طلب غير صالح"}
        assert result["details"] == ["Unknown parameter: dryRun"]
    else:
        assert result["message"] == "Unknown parameter: dryRun"
    assert world.live(link)


@pytest.mark.parametrize("route", [each for each in ROUTES if each.method != "GET"], ids=name_of)
def test_every_route_refuses_unknown_members(world: World, route: Route) -> None:
    """A route that takes no body does not ignore one either."""
    [link] = world.create(1)
    names = [part[1:-1] for part in route.resource.split("/") if part.startswith("{")]
    event = world.event(
        name_of(route), path=dict.fromkeys(names, link), body={"dryrun": True, "reason": "spring"}
    )

    [api] = [each for each in APIS if route in each.routes]

    assert reply_to(api.handle, event).status == 400
    assert world.live(link)


def test_the_document_names_the_parameters_of_each_route() -> None:
    assert len(ROUTES) > 10
    for route in ROUTES:
        parameters = operations()[route.method, route.resource]["parameters"]
        named = {each["name"] for each in parameters if each["in"] == "query"}
        assert named == set(route.query), name_of(route)


@pytest.mark.parametrize("entry", [None, 1, 1e300, True, [], {"id": "x"}, [[[]]]])
@pytest.mark.parametrize(
    ("resource", "more"),
    [
        ("/api/links/bulk-delete", {}),
        ("/api/deletions", {"mode": "erase"}),
        ("/api/deletions", {"mode": "soft"}),
        ("/api/deletions", {"mode": "erase", "dryRun": True}),
    ],
)
def test_an_id_that_is_not_a_string_deletes_nothing(
    world: World, resource: str, more: dict[str, Any], entry: Any
) -> None:
    [link] = world.create(1)
    body = {"ids": [link, entry, "nonsense"], **more}
    status, result = world.call(deletions, f"POST {resource}", body=body)

    assert status == 400
    assert result["invalidIds"] == [json.dumps(entry), "nonsense"]
    assert result["invalidCount"] == 2
    assert "Every id must be text" in (result.get("message"), *result.get("details", []))
    assert world.live(link)


def test_a_null_filter_value_is_refused(world: World) -> None:
    [link] = world.create(1, tags=["spring"])
    body = {"filter": {"tag": "spring", "createdBefore": None}}

    status, result = world.call(deletions, "POST /api/deletions", body=body)

    assert status == 400
    assert result["details"] == ["createdBefore: must not be null"]
    assert world.live(link)
