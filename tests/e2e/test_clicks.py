"""Visits over HTTP: redirected, counted within seconds, shown in analytics, gone with the link."""

from __future__ import annotations

from local.demo_data import Workspace
from tests.support.http_client import Client, eventually
from tests.support.user_agents import GOOGLEBOT, IPHONE, WINDOWS


def test_visits_are_counted_by_the_stream_and_outlive_a_soft_delete(
    base_url: str, workspace: Workspace
) -> None:
    api, public = Client(base_url, workspace.api_key), Client(base_url, "")
    link = api.post(
        "/api/links",
        {
            "originalUrl": "https://example.com/page",
            "iosUrl": "https://example.com/app",
            "utmParameters": {"source": "e2e"},
        },
    ).json
    code, analytics = f"/{link['shortCode']}", f"/api/analytics/links/{link['id']}"

    places = [
        public.get(code, {"User-Agent": agent}).headers["location"]
        for agent in (IPHONE, WINDOWS, WINDOWS, GOOGLEBOT)
    ]
    assert places == [
        "https://example.com/app?utm_source=e2e",
        *["https://example.com/page?utm_source=e2e"] * 3,
    ]
    eventually(lambda: api.get(analytics).json["totalClicks"], 3)
    eventually(lambda: api.get(f"/api/links/{link['id']}").json["clickCount"], 3)
    counted = api.get(analytics).json
    assert counted["uniqueClicks"] == 2
    assert counted["clicksByPlatform"] == [
        {"platform": "Windows", "clicks": 2},
        {"platform": "iOS", "clicks": 1},
    ]
    assert api.post("/api/installs", {"linkId": code[1:], "platform": "iOS"}).status == 201

    assert api.delete("/api/links", [link["id"]]).status == 200

    assert public.get(code, {"User-Agent": WINDOWS}).status == 404
    assert api.get(f"/api/links/{link['id']}").status == 404
    assert api.post("/api/installs", {"linkId": link["id"]}).status == 404
    kept = api.get(analytics).json
    assert (kept["totalClicks"], kept["totalInstalls"]) == (3, 1)
