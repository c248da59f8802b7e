"""Visits over HTTP: redirected, counted within seconds, shown in analytics, gone with the link."""

from __future__ import annotations

import json
import urllib.request

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


def test_a_filtered_list_and_an_update_work_over_http(
    base_url: str, workspace: Workspace, other_workspace: Workspace
) -> None:
    api = Client(base_url, workspace.api_key)
    made = api.post(
        "/api/links",
        [
            {"originalUrl": f"https://example.com/{n}", "tags": ["even", "odd"][n % 2 :][:1]}
            for n in range(6)
        ],
    ).json

    first = api.get("/api/links?tag=even&limit=2").json
    rest = api.get(f"/api/links?tag=even&limit=2&cursor={first['nextCursor']}").json
    found = [link["id"] for link in first["links"] + rest["links"]]
    assert sorted(found) == sorted(link["id"] for link in made[::2])
    foreign = Client(base_url, other_workspace.api_key)
    assert foreign.get(f"/api/links?tag=even&cursor={first['nextCursor']}").status == 400

    changed = api.put(f"/api/links/{made[0]['id']}", {"isActive": False, "title": "Über"})
    assert (changed.status, changed.json["title"]) == (200, "Über")
    assert Client(base_url, "").get(f"/{made[0]['shortCode']}").status == 404
    assert [link["id"] for link in api.get("/api/links?isActive=false").json["links"]] == [
        made[0]["id"]
    ]


def test_an_export_is_written_in_the_background_and_fetched_through_its_url(
    base_url: str, workspace: Workspace
) -> None:
    api, public = Client(base_url, workspace.api_key), Client(base_url, "")
    link = api.post("/api/links", {"originalUrl": "https://example.com/page"}).json
    for agent in (IPHONE, GOOGLEBOT):
        public.get(f"/{link['shortCode']}", {"User-Agent": agent})

    begun = api.post(f"/api/analytics/links/{link['shortCode']}/export", None)
    where = begun.headers["location"].removeprefix(base_url)
    assert begun.status == 202
    eventually(lambda: api.get(where).json["state"], "complete")

    with urllib.request.urlopen(api.get(where).json["url"], timeout=30) as response:
        lines = [json.loads(line) for line in response.read().splitlines()]
    assert [line["type"] for line in lines] == ["link", "click", "click"]
    assert lines[0]["id"] == link["id"]
    assert sorted(line["isBot"] for line in lines[1:]) == [False, True]
