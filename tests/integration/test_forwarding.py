"""The query of a visit: which parameters are forwarded to the destination."""

from __future__ import annotations

from typing import Any

import pytest

from functions.domain.errors import InvalidRequest
from functions.domain.query_forwarding import MAX_LOCATION, with_query
from functions.domain.redirect_target import MAX_UTM
from functions.handlers import links as links_function
from functions.handlers import redirect
from functions.schemas.link_views import link_view
from functions.schemas.links import parse_link_changes, parse_new_links
from tests.conftest import World
from tests.support.api_gateway import send
from tests.support.links import a_link


@pytest.mark.parametrize(
    ("destination", "query", "expected"),
    [
        ("https://e.com/", {"gclid": ["x"]}, "https://e.com/?gclid=x"),
        ("https://e.com", {"gclid": ["x"]}, "https://e.com?gclid=x"),
        ("https://e.com/?", {"gclid": ["x"]}, "https://e.com/?gclid=x"),
        ("https://e.com/?a=1&", {"gclid": ["x"]}, "https://e.com/?a=1&gclid=x"),
        ("https://e.com/?a=1&&b=%7e+c", {"d": ["x"]}, "https://e.com/?a=1&&b=%7e+c&d=x"),
        ("https://e.com/?a=1#top?b", {"b": ["2"]}, "https://e.com/?a=1&b=2#top?b"),
        ("https://e.com/#/spa", {"ref": ["n"]}, "https://e.com/?ref=n#/spa"),
        # The link's own parameters win, in any encoding.
        ("https://e.com/?ref=own", {"ref": ["visit"], "b": ["1"]}, "https://e.com/?ref=own&b=1"),
        ("https://e.com/?r%65f", {"ref": ["visit"]}, "https://e.com/?r%65f"),
        # Repeated names, names without a value, text that would end the parameter.
        ("https://e.com/", {"a": ["1", "2"]}, "https://e.com/?a=1&a=2"),
        ("https://e.com/", {"flag": [""]}, "https://e.com/?flag="),
        ("https://e.com/", {"": ["x"]}, "https://e.com/"),
        ("https://e.com/", {"a&b": ["c=d#e&f"]}, "https://e.com/?a%26b=c%3Dd%23e%26f"),
        ("https://e.com/", {"q": ["é +%\r\nX: y"]}, "https://e.com/?q=%C3%A9%20%2B%25%0D%0AX:%20y"),
        ("https://e.com/", {"q": ["\ud800"]}, "https://e.com/?q=?"),
        ("https://e.com/", {"u": ["https://x.y/z"]}, "https://e.com/?u=https://x.y/z"),
        ("https://e.com/?a=1", {}, "https://e.com/?a=1"),
    ],
)
def test_a_query_is_appended_and_the_destination_is_unchanged(
    destination: str, query: dict[str, list[str]], expected: str
) -> None:
    assert with_query(destination, query) == expected


def test_parameters_that_do_not_fit_are_dropped() -> None:
    destination = "https://e.com/?a=1#end"

    location = with_query(
        destination, {"long": ["x" * MAX_LOCATION], "short": ["1"], "é": ["é" * 2_000]}
    )

    assert location == "https://e.com/?a=1&short=1#end"
    full = with_query(destination, {f"p{n}": ["y" * 100] for n in range(1_000)})
    assert MAX_LOCATION - 200 < len(full) <= MAX_LOCATION


def location_of(code: str, query: dict[str, str]) -> str:
    reply = send(redirect.handler, "GET /{code}", path={"code": code}, query=query)
    assert reply.status == 302
    return reply.headers["Location"]


VISIT = {"gclid": "x y", "ref": "news", "utm_source": "visit", "utm_term": "t" * (MAX_UTM + 1)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, f"?gclid=x%20y&ref=news&utm_source=visit&utm_term={'t' * (MAX_UTM + 1)}"),
        ({"forwardQuery": True}, f"?gclid=x%20y&ref=news&utm_source=visit&utm_term={'t' * 101}"),
        ({"forwardQuery": False}, ""),
        (
            {"utmParameters": {"source": "mail"}},
            f"?utm_source=mail&gclid=x%20y&ref=news&utm_term={'t' * 101}",
        ),
        ({"forwardQuery": False, "utmParameters": {"source": "mail"}}, "?utm_source=mail"),
    ],
)
def test_the_visits_query_is_forwarded_unless_the_link_disables_it(
    world: World, fields: dict[str, Any], expected: str
) -> None:
    [link] = world.create_items(**fields)

    assert location_of(link.short_code, VISIT) == f"https://example.com/page{expected}"


def test_forward_query_is_created_shown_changed_and_true_by_default(world: World) -> None:
    def request(method: str, reference: str | None = None, **body: Any) -> Any:
        route = f"{method} /api/links/{{id}}" if reference else f"{method} /api/links"
        status, response = world.call(links_function, route, at=reference, body=body or None)
        assert status in (200, 201), response
        return response

    link = request("POST", originalUrl="https://example.com/page")
    assert link["forwardQuery"] is True
    assert request("PUT", link["id"], forwardQuery=False)["forwardQuery"] is False
    assert location_of(link["shortCode"], {"ref": "x"}) == "https://example.com/page"
    assert request("GET", link["id"])["forwardQuery"] is False
    assert request("PUT", link["id"], title="t")["forwardQuery"] is False
    assert request("PUT", link["id"], forwardQuery=True)["forwardQuery"] is True
    assert location_of(link["shortCode"], {"ref": "x"}) == "https://example.com/page?ref=x"
    created = request("POST", originalUrl="https://example.com/page", forwardQuery=False)
    assert created["forwardQuery"] is False


@pytest.mark.parametrize("value", [None, "true", 1, "false", []])
def test_forward_query_is_true_or_false(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_new_links({"originalUrl": "https://example.com", "forwardQuery": value})
    with pytest.raises(InvalidRequest):
        parse_link_changes({"forwardQuery": value})


def test_a_change_to_the_default_is_shown_as_the_default() -> None:
    changes = parse_link_changes({"forwardQuery": True})
    link = a_link(forward_query=False)
    # The result of an update whose link was deleted right after it.
    assert link_view(link.with_changes(changes), "https://s.test")["forwardQuery"] is True
