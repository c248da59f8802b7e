"""Text of link owners and visitors is shown as text: nothing runs, nothing breaks the page."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Route, expect

from infra.console import LOADED_LATER, SOURCE, top_level_names
from tests.console.conftest import Console, Opener, respond
from tests.support.http_client import Client

SCRIPTS = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    '"><svg onload=window.ran=1>',
    "${window.ran = 1}",
    "javascript:window.ran=1",
    "</title><iframe srcdoc='<script>parent.ran=1</script>'>",
)
#: Right-to-left override, isolates that never end, and marks that stack up.
DIRECTIONS = ("\u202egnp.exe", "\u2067abc", "a\u0301\u0302\u0303\u0304" * 10, "شراء \u202e now")
LONG = "W" * 200


def test_hostile_titles_tags_and_reasons_are_text(open_console: Opener, api: Client) -> None:
    made = [
        api.create(
            title=text[:200],
            tags=[text[:50]],
            originalUrl=f"https://example.com/?q={'x' * 1500}",
            externalId=text[:100],
        )
        for text in (*SCRIPTS, *DIRECTIONS, LONG)
    ]
    console = open_console()
    page = console.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    console.open()
    expect(console.rows).to_have_count(len(made))

    titles = page.locator(".grid-body .title").all_text_contents()
    assert sorted(titles) == sorted(link["title"] for link in made)
    # Every row keeps its height and its place, with any content.
    boxes = page.evaluate(
        """() => [...document.querySelectorAll(".grid-body .row")].map((row) => {
          const { width, height } = row.getBoundingClientRect();
          const clicks = row.querySelector(".cell-clicks").getBoundingClientRect();
          return [width, height, clicks.left];
        })"""
    )
    assert len({tuple(box) for box in boxes}) == 1
    console.page.locator(".check-button").click()
    page.keyboard.press("Delete")
    page.locator("dialog input[type=text]").fill(SCRIPTS[1])
    page.locator(".same-request summary").click()
    expect(page.locator(".same-request")).to_contain_text("onerror=")
    # Its long lines are scrolled, and the sheet is not.
    sheet = "document.querySelector('dialog')"
    assert page.evaluate(f"{sheet}.scrollWidth - {sheet}.clientWidth") == 0
    page.locator("dialog button[type=submit]").click()
    page.locator(".toast a").click()
    expect(page.locator(".facts")).to_contain_text(SCRIPTS[1])
    console.go("deletions")
    expect(page.locator("tbody")).to_contain_text(SCRIPTS[1])
    assert page.evaluate("window.ran ?? null") is None
    assert dialogs == []
    assert page.locator("iframe, .frame script, svg[onload], img[onerror]").count() == 0


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
#: As scanners and pranksters send them with their clicks.
REFERRERS = (
    "https://evil.example/<script>window.ran=1</script>",
    "https://evil.example/?q=<img src=x onerror=window.ran=1>",
    "javascript:window.ran=1",
    "https://<svg onload=window.ran=1>/",
    "https://evil\u202egnp.example/".encode().decode("latin-1"),
    f"https://{'w' * 60}.{'w' * 60}.{'w' * 60}.example/",
    "data:text/html,<script>parent.ran=1</script>",
)


def test_hostile_clicks_are_text(open_console: Opener, api: Client, base_url: str) -> None:
    link = api.create(title=SCRIPTS[1])
    visitor = Client(base_url, "")
    # What names no browser is not counted.
    agents = [f"{FIREFOX} {tail}" for tail in (*SCRIPTS[:3], "\u202e".encode().decode("latin-1"))]
    for number, referrer in enumerate(REFERRERS):
        headers = {"Referer": referrer, "User-Agent": agents[number % len(agents)]}
        assert visitor.send("GET", f"/{link['shortCode']}", headers=headers).status == 302
    deadline = time.monotonic() + 60
    counted = {}
    while time.monotonic() < deadline:
        counted = api.get(f"/api/analytics/links/{link['id']}").json
        if counted["totalClicks"] == len(REFERRERS):
            break
    assert counted["totalClicks"] == len(REFERRERS)
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    top = page.locator(".top", has_text="Referrers")
    expect(top.locator("tbody tr").first).to_be_visible()
    names = top.locator("bdi").all_text_contents()
    assert "evil.example" in names
    assert not [name for name in names if "<" in name or "\u202e" in name]
    assert page.evaluate("window.ran ?? null") is None
    assert page.locator(".view script, .view iframe, .view [onload], .view [onerror]").count() == 0
    assert width_excess(console) == 0


def test_hostile_values_of_analytics_are_text(open_console: Opener, api: Client) -> None:
    """Any value of the service is shown as text in its place."""
    link = api.create()
    console = open_console()
    page = console.page
    hostile = (*SCRIPTS, *DIRECTIONS, "\u2069\u202eabc", LONG)

    def values(name: str, some: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{name: value, "clicks": 10 - place} for place, value in enumerate(some)]

    def analytics(route: Route) -> None:
        body = route.fetch().json() | {
            "clicksByReferrer": values("referrer", hostile[:6]),
            "clicksByCountry": values("country", hostile[6:]),
            "clicksByPlatform": values("platform", ("__proto__", "constructor", *SCRIPTS[:2])),
            "clicksByDevice": values("device", ("mobile", "<b>x</b>", "other")),
        }
        respond(route, 200, body)

    page.route("**/api/analytics/**", analytics)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        console.open(f"links/{link['id']}") if width == 1280 else None
        expect(page.locator(".top").first).to_be_visible()
        assert width_excess(console) == 0
        # Each number is at the end of its row, for any direction of the name next to it.
        places = page.evaluate(
            """() => [...document.querySelectorAll(".top")].map((table) =>
              new Set([...table.querySelectorAll("td.number")].map(
                (cell) => Math.round(cell.getBoundingClientRect().right))).size)"""
        )
        assert places == [1] * len(places)
    shown = page.locator(".top bdi").all_text_contents()
    assert set(SCRIPTS) <= set(shown)
    assert page.evaluate("window.ran ?? null") is None
    console.screenshot("hostile-analytics")


def width_excess(console: Console) -> int:
    """By how many pixels the content is wider than the page."""
    excess: int = console.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return excess


def test_no_name_of_the_script_hides_one_of_the_browser(open_console: Opener) -> None:
    """Modules are joined in one scope: a name that hides a global would change another module."""
    names = {
        name
        for path in SOURCE.glob("*.js")
        for name in top_level_names(path.name)
        if path.name not in LOADED_LATER
    }
    console = open_console()
    console.page.goto(console.address)
    assert len(names) > 100
    assert (
        console.page.evaluate("names => names.filter((name) => name in window)", list(names)) == []
    )


def test_hostile_addresses_of_the_page_are_text(open_console: Opener, api: Client) -> None:
    console = open_console()
    page = console.page
    console.open("links?title=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E&tag=%3Cscript%3E&bogus=1")
    expect(page.locator(".empty h2")).to_have_text("No link matches")
    for path in ("deletions/..%2F..%2Flinks", "deletions/%3Cscript%3E", "%E0%A4%A", "constructor"):
        console.go(path)
        expect(page.locator("main h1").first).to_be_attached()
    assert page.evaluate("window.ran ?? null") is None
    assert api.get("/api/deletions").json["deletions"] == []


def test_inserted_texts_do_not_turn_the_sentence_around(open_console: Opener, api: Client) -> None:
    api.create(tags=["\u202eevil"])
    console = open_console(language="ar")
    console.open("links?tag=%E2%80%AEevil")
    chip = console.page.locator(".chips li span").first
    # The text is isolated: first strong isolate, the text, pop directional isolate.
    expect(chip).to_contain_text("\u2068\u202eevil\u2069")
    # One that ends the isolate itself cannot: what follows keeps its direction.
    api.create(tags=["\u2069\u202eevil"])
    console.go("links?tag=%E2%81%A9%E2%80%AEevil")
    expect(chip).to_contain_text("\u2068\u202eevil\u2069")
    expect(chip).not_to_contain_text("\u2069\u202e")
