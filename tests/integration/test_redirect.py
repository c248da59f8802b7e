"""``GET /{code}``: destination, recorded click, and behaviour under failures."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from functions import container
from functions.api import redirect_response
from functions.domain.errors import Unavailable
from functions.domain.ids import parse_click_id
from functions.handlers import redirect
from tests.conftest import World
from tests.support.api_gateway import Reply, send
from tests.support.clicks import clicks_of
from tests.support.user_agents import ANDROID, GOOGLEBOT, IPAD, IPHONE, MAC, WINDOWS
from tests.support.virtual_time import VirtualClock

#: What CloudFront and the function share.
ORIGIN_SECRET = "the-secret-of-the-distribution"


@pytest.fixture(autouse=True)
def _behind_the_cdn(deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_SECRET", ORIGIN_SECRET)
    container.reset()


def visit(code: str, method: str = "GET", **headers: str) -> Reply:
    query = headers.pop("query", None)
    return send(
        redirect.handler,
        f"{method} /{{code}}",
        path={"code": code},
        headers={"User-Agent": WINDOWS} | {k.replace("_", "-"): v for k, v in headers.items()},
        query=dict(part.split("=") for part in query.split("&")) if query else None,
    )


def test_a_visit_gets_a_redirect_that_is_not_cached(world: World) -> None:
    [link] = world.create_items()

    reply = visit(link.short_code)

    assert (reply.status, reply.body) == (302, b"")
    assert reply.headers["Location"] == "https://example.com/page"
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_head_answers_like_get(world: World, accept: str) -> None:
    """The body too: the gateway takes Content-Length from it and sends none to HEAD."""
    [link] = world.create_items()

    assert visit(link.short_code, "HEAD") == visit(link.short_code)
    missing = visit("nothing-here", "HEAD", Accept=accept)
    assert missing.status == 404
    assert missing.body
    assert missing == visit("nothing-here", Accept=accept)


def test_a_redirect_has_security_headers(world: World) -> None:
    [link] = world.create_items()

    headers = visit(link.short_code).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    # The destination still learns the origin that the visitor came from.
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_404_page_allows_its_own_style_and_nothing_else(world: World) -> None:
    page = visit("nothing-here", Accept="text/html")

    [style] = re.findall(r"<style>(.*?)</style>", page.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "<script" not in page.body.decode()


@pytest.mark.parametrize(
    ("agent", "place", "platform", "device"),
    [
        (IPHONE, "ios", "iOS", "mobile"),
        (IPAD, "ios", "iOS", "tablet"),
        (ANDROID, "android", "Android", "mobile"),
        (ANDROID.replace("Mobile ", ""), "android", "Android", "tablet"),
        (WINDOWS, "web", "Windows", "desktop"),
        (MAC, "web", "macOS", "desktop"),
        ("SomethingElse/1.0", "web", "other", "other"),
    ],
)
def test_each_device_gets_its_own_destination(
    world: World, agent: str, place: str, platform: str, device: str
) -> None:
    [link] = world.create_items(
        iosUrl="https://example.com/ios",
        androidUrl="https://example.com/android",
        webFallbackUrl="https://example.com/web",
    )

    reply = visit(link.short_code, User_Agent=agent)

    assert reply.headers["Location"] == f"https://example.com/{place}"
    [click] = clicks_of(world, link.id)
    assert (click["platform"], click["deviceType"]) == (platform, device)


@pytest.mark.parametrize("agent", [IPHONE, ANDROID, WINDOWS])
def test_a_device_without_its_own_destination_gets_the_original(world: World, agent: str) -> None:
    [link] = world.create_items()

    assert visit(link.short_code, User_Agent=agent).headers["Location"].endswith("/page")


VIEWER = {
    "CloudFront_Viewer_Address": "198.51.100.7:1234",
    "CloudFront_Viewer_Country": "EG",
    "CloudFront_Viewer_Country_Region": "C",
    "CloudFront_Viewer_City": "Cairo",
    "CloudFront_Viewer_Time_Zone": "Africa/Cairo",
}


@pytest.mark.parametrize(
    ("configured", "given"),
    [
        ("", {}),
        ("", {"X_Unlink_Origin": ""}),
        (ORIGIN_SECRET, {}),
        (ORIGIN_SECRET, {"X_Unlink_Origin": "guessed"}),
        (ORIGIN_SECRET, {"X_Unlink_Origin": ORIGIN_SECRET + "x"}),
        (ORIGIN_SECRET, {"X_Unlink_Origin": "é"}),
    ],
)
def test_viewer_headers_are_trusted_from_the_distribution_only(
    world: World, monkeypatch: pytest.MonkeyPatch, configured: str, given: dict[str, str]
) -> None:
    monkeypatch.setenv("ORIGIN_SECRET", configured)
    container.reset()
    [link] = world.create_items()

    assert visit(link.short_code, **VIEWER, **given).status == 302

    [click] = clicks_of(world, link.id)
    # The address that the gateway saw.
    assert click["ipAddress"] == "192.0.2.1"
    assert {"countryCode", "region", "city", "timezone"}.isdisjoint(click)


def test_a_prefetch_is_recorded_and_not_counted(world: World) -> None:
    [link] = world.create_items()

    assert visit(link.short_code, Sec_Purpose="prefetch").status == 302
    assert visit(link.short_code).status == 302

    assert sorted(click["isBot"] for click in clicks_of(world, link.id)) == [False, True]


def test_every_value_of_a_click_is_bounded_and_clean(world: World) -> None:
    [link] = world.create_items()

    visit(
        link.short_code,
        User_Agent="=cmd|' /C calc'!A1 " + "é\x00\x1b[2J" * 9_000,
        Referer="https://example.com/" + "é/" * 30_000 + "?token=secret",
        X_Unlink_Origin=ORIGIN_SECRET,
        CloudFront_Viewer_Address="=cmd|calc!A1" + "1" * 9_000 + ":80",
        CloudFront_Viewer_Country="=1+1",
        CloudFront_Viewer_Country_Region="C" * 60_000,
        CloudFront_Viewer_City="@SUM(A1)" + "é" * 60_000,
        CloudFront_Viewer_Time_Zone="Mars/Olympus",
        query="utm_source=" + "@" * 2 + "x" * 9_000,
    )

    [click] = clicks_of(world, link.id)
    sizes = {name: len(value.encode()) for name, value in click.items() if isinstance(value, str)}
    assert max(sizes.values()) <= 500
    assert sizes["city"] == 99
    assert click["city"].startswith("SUM(A1)é")
    assert click["ipAddress"] == "192.0.2.1"
    assert click["userAgent"].startswith("cmd|' /C calc'!A1 é[2J")
    assert set(click["utmSource"]) == {"x"}
    assert {"countryCode", "region", "timezone"}.isdisjoint(click)
    assert "secret" not in str(click)


def test_a_click_records_the_visit(world: World) -> None:
    [link] = world.create_items(utmParameters={"source": "mail"})
    before = time.time()

    visit(
        link.short_code,
        User_Agent=IPHONE,
        Referer="https://user:secret@www.google.com:8443/search?q=token#part",
        X_Unlink_Origin=ORIGIN_SECRET,
        CloudFront_Viewer_Country="EG",
        CloudFront_Viewer_Country_Region="C",
        CloudFront_Viewer_City="Cairo",
        CloudFront_Viewer_Time_Zone="Africa/Cairo",
        CloudFront_Viewer_Address="2001:db8::1:52301",
        query="utm_campaign=spring&utm_source=ignored&other=1",
    )

    [click] = clicks_of(world, link.id)
    parsed = parse_click_id(click["id"])
    assert parsed is not None
    assert parsed[0] == link.id
    assert before - 1 < parsed[1] / 1000 < time.time() + 1
    assert click["sk"] == f"CLICK#{click['clickedAt']}#{click['id']}"
    assert click["ttl"] == parsed[1] // 1000 + 365 * 86_400
    click = {k: v for k, v in click.items() if k not in ("id", "clickedAt", "pk", "sk", "ttl")}
    assert click == {
        "linkId": link.id,
        "workspaceId": world.workspace_id,
        "ipAddress": "2001:db8::1",
        "userAgent": IPHONE,
        "deviceType": "mobile",
        "platform": "iOS",
        "countryCode": "EG",
        "region": "EG-C",
        "city": "Cairo",
        "timezone": "Africa/Cairo",
        "referrer": "https://www.google.com:8443/search",
        "utmSource": "mail",
        "utmCampaign": "spring",
        "isBot": False,
    }


@pytest.mark.parametrize("agent", [GOOGLEBOT, "curl/8.5.0", "", "WhatsApp/2.23.20.0"])
def test_bots_are_redirected_and_recorded_as_bots(world: World, agent: str) -> None:
    [link] = world.create_items()

    assert visit(link.short_code, User_Agent=agent).status == 302

    assert [click["isBot"] for click in clicks_of(world, link.id)] == [True]


@pytest.mark.parametrize("case", ["unknown", "inactive", "expired", "deleted", "erased", "wrong"])
def test_links_that_do_not_redirect_share_one_404_page(world: World, case: str) -> None:
    special: dict[str, dict[str, Any]] = {
        "inactive": {"isActive": False},
        "expired": {"expiresAt": datetime(2020, 1, 1, tzinfo=UTC)},
    }
    fields = special.get(case, {})
    [link] = world.create_items(**fields)
    code = link.short_code
    if case == "deleted":
        # The code is cached: the cache must not outlive the link.
        assert visit(code).status == 302
        world.soft_delete([link.id])
    elif case == "erased":
        assert visit(code).status == 302
        world.erase_one(link.id)
    elif case == "unknown":
        code = "nobody-has-this"
    elif case == "wrong":
        code = "a.b"
    known = len(clicks_of(world, link.id))

    page, data = visit(code, Accept="text/html,*/*;q=0.8"), visit(code, Accept="*/*")

    assert page.status == data.status == 404
    assert page.headers["Cache-Control"] == data.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"This link does not exist" in page.body
    assert data.json() == {"statusCode": 404, "error": "Not Found", "message": "Link not found"}
    assert len(clicks_of(world, link.id)) == known


def test_a_reused_code_redirects_to_its_new_link(world: World) -> None:
    [old] = world.create_items(shortCode="again-and-again")
    assert visit("again-and-again").status == 302
    world.erase_one(old.id)
    [new] = world.create_items(shortCode="again-and-again")

    assert visit("again-and-again").status == 302

    assert len(clicks_of(world, new.id)) == 1


def test_a_warm_code_costs_one_strongly_consistent_read_and_one_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link] = world.create_items()
    calls: list[tuple[str, Any]] = []
    dynamodb = container.low_latency_dynamodb()
    for name in ("get_item", "put_item"):
        real = getattr(dynamodb, name)

        def counted(_real: Any = real, _name: str = name, **parameters: Any) -> Any:
            calls.append((_name, parameters.get("ConsistentRead")))
            return _real(**parameters)

        monkeypatch.setattr(dynamodb, name, counted)

    visit(link.short_code)
    cold, calls[:] = list(calls), []
    visit(link.short_code)

    assert cold == [("get_item", True), ("get_item", True), ("put_item", None)]
    assert calls == [("get_item", True), ("put_item", None)]


def test_a_failed_click_write_does_not_fail_the_redirect(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link] = world.create_items()
    monkeypatch.setenv("CLICKS_TABLE", "no-such-table")
    container.reset()
    assert visit(link.short_code).status == 302

    def throttled(**_: Any) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")

    monkeypatch.setattr(container.low_latency_dynamodb(), "put_item", throttled)
    clock = VirtualClock(monkeypatch)
    assert visit(link.short_code).status == 302
    assert 0 < clock.passed <= redirect_response.CLICK_TIMEOUT


def test_an_unreadable_link_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect, "link_of", Mock(side_effect=Unavailable))

    reply = visit("any-code", Accept="text/html")

    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert b"try again" in reply.body
