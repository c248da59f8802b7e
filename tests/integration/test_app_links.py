"""App URLs: only allowed schemes, only in two fields, sent unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.app_links import FORBIDDEN_SCHEMES, scheme_faults
from functions.domain.errors import InvalidRequest
from functions.domain.link import DESTINATIONS
from functions.domain.query_forwarding import with_query
from functions.domain.redirect_target import target_of, with_campaign
from functions.handlers import links, redirect
from functions.schemas.links import parse_link_changes, parse_new_links
from tests.conftest import World
from tests.support.api_gateway import send
from tests.support.links import a_link
from tests.support.user_agents import ANDROID, IPHONE

WEB = "https://example.com/"
ALLOWED = ("myapp", "intent", "market")
APP_FIELDS = ("iosUrl", "androidUrl")

APP_URLS = [
    "myapp://product/1",
    "MyApp:product?id=1#top",
    "market://details?id=com.example.app",
    "intent://scan/#Intent;scheme=zxing;package=com.google.zxing.client.android;end",
    "intent://x#Intent;scheme=https;S.browser_fallback_url=https%3A%2F%2Fexample.com%2F;end",
]


def faults(body: dict[str, Any], allowed: tuple[str, ...] = ALLOWED) -> list[str]:
    try:
        parse_new_links({"originalUrl": WEB} | body, allowed)
    except InvalidRequest as refusal:
        details: list[str] = refusal.members["details"]
        return details
    return []


@pytest.mark.parametrize("url", APP_URLS)
@pytest.mark.parametrize("field", APP_FIELDS)
def test_an_app_url_of_an_allowed_scheme_is_kept_as_given(field: str, url: str) -> None:
    [link] = parse_new_links({"originalUrl": WEB, field: url}, ALLOWED)
    assert getattr(link, field) == url
    assert parse_link_changes({field: url}, ALLOWED) == {field: url}


@pytest.mark.parametrize("field", DESTINATIONS)
def test_without_the_policy_every_app_url_is_refused(field: str) -> None:
    assert faults({field: "myapp://product/1"}, ())[0].startswith(f"{field}: only http")
    with pytest.raises(InvalidRequest):
        parse_link_changes({field: "myapp://product/1"})


@pytest.mark.parametrize("field", ["originalUrl", "webFallbackUrl"])
def test_the_policy_applies_only_to_the_two_app_fields(field: str) -> None:
    assert faults({field: "myapp://product/1"}) == [f"{field}: only http and https URLs"]


@pytest.mark.parametrize("scheme", sorted(FORBIDDEN_SCHEMES))
@pytest.mark.parametrize("field", APP_FIELDS)
def test_a_forbidden_scheme_is_refused_even_if_a_policy_names_it(field: str, scheme: str) -> None:
    for spelling in (scheme, scheme.upper()):
        assert faults({field: f"{spelling}:alert(1)"}, (*ALLOWED, scheme)) == [
            f"{field}: only http, https and the schemes of the policy appSchemes"
        ]
    assert scheme_faults([scheme]) == [f"{scheme} is never allowed"]


@pytest.mark.parametrize(
    "url",
    [
        "myapp:",
        "myapp://",
        "myapp:#top",
        "myapp://user:secret@host/",
        "myapp://a b",
        "myapp://a\u202eb",
        "myapp://" + "é" * 341,
        "otherapp://product",
        "myapp",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "intent://x#Intent;scheme=javascript;end",
        "intent://x#Intent;scheme=FILE;end",
        "intent://x#Intent;S.browser_fallback_url=javascript%3Aalert(1);end",
        "intent://x#Intent;S.browser_fallback_url=;end",
    ],
)
def test_other_app_urls_are_refused(url: str) -> None:
    for field in APP_FIELDS:
        assert len(faults({field: url})) == 1
        assert faults({field: url})[0].startswith(f"{field}: ")


@pytest.mark.parametrize(
    "schemes",
    [
        ["MyApp"],
        ["1app"],
        ["my app"],
        [""],
        ["my_app"],
        ["http"],
        ["https"],
        ["myapp", "myapp"],
        ["a" * 51],
        [f"app{n}" for n in range(21)],
        ["javascript"],
        ["äpp"],
    ],
)
def test_a_list_of_schemes_to_allow_is_checked(schemes: list[str]) -> None:
    assert scheme_faults(schemes)


def test_a_refused_scheme_names_what_a_scheme_may_have() -> None:
    assert scheme_faults(["MyApp"]) == [
        "'MyApp' is not a scheme: at most 50 lower-case letters, digits, +, . and -, first a letter"
    ]


@pytest.mark.parametrize("url", APP_URLS)
def test_campaign_and_query_of_a_visit_leave_an_app_url_as_it_is(url: str) -> None:
    link = a_link(original_url=WEB, ios_url=url, utm_parameters={"source": "mail"})
    location = with_campaign(target_of(link, "iOS"), {"source": "mail"})
    assert with_query(location, {"gclid": ["1"]}) == url


@given(st.text("/?#[]@%|\\é\u200c👨a1:;=", max_size=20))
def test_an_app_url_is_sent_as_ascii(rest: str) -> None:
    assert with_campaign(f"myapp:{rest}", {}).isascii()


def test_what_rfc_3986_excludes_is_encoded_in_app_urls_too() -> None:
    assert with_campaign("myapp://ü/a|b\\c?é", {}) == "myapp://%C3%BC/a%7Cb%5Cc?%C3%A9"


@pytest.mark.parametrize(
    "url",
    [
        "intent://short.test/abcd#Intent;scheme=https;end",
        "intent://short.test./abcd#Intent;scheme=HTTP;end",
        "intent://x#Intent;scheme=zxing;S.browser_fallback_url=http%3A%2F%2FSHORT.test%2Fabcd;end",
    ],
)
def test_an_intent_url_must_not_point_to_this_service(world: World, url: str) -> None:
    status, response = create(world, {"androidUrl": url}, "intent")
    assert status == 400
    assert response["details"] == ["androidUrl: a link must not lead to this service itself"]
    assert create(world, {"androidUrl": "myapp://short.test/abcd"}, "myapp")[0] == 201


def test_visitors_get_the_app_urls_that_their_workspace_allows(world: World) -> None:
    body = {"iosUrl": "myapp://product/1", "androidUrl": "market://details?id=com.example"}
    status, link = create(world, body, "market")
    assert (status, link["details"][0][:7]) == (400, "iosUrl:")
    status, link = create(world, body, "myapp market")
    assert status == 201
    assert {name: link[name] for name in body} == body
    locations = {
        agent: send(
            redirect.handler,
            "GET /{code}",
            path={"code": link["shortCode"]},
            headers={"User-Agent": agent},
            query={"ref": "poster"},
        ).headers["Location"]
        for agent in (IPHONE, ANDROID, "curl/8.5.0")
    }
    assert locations == {
        IPHONE: "myapp://product/1",
        ANDROID: "market://details?id=com.example",
        "curl/8.5.0": f"{WEB}?ref=poster",
    }


def create(world: World, body: dict[str, Any], app_schemes: str) -> tuple[int, Any]:
    caller = {"appSchemes": app_schemes}
    return world.call(links, "POST /api/links", body={"originalUrl": WEB} | body, caller=caller)
