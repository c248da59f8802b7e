"""Without a connection or a service the console says so, and continues automatically."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.console.conftest import Console, Opener, create_links, respond
from tests.support.http_client import Client

OFFLINE = {
    "en": "No connection. Trying again",
    "ar": "لا يوجد اتصال. جارٍ إعادة المحاولة",
}
BUSY = {"en": "The service is busy. Trying again", "ar": "الخدمة مشغولة. جارٍ إعادة المحاولة"}
#: A write is sent once and repeated five times.
ATTEMPTS = 6


def is_write(request: Request) -> bool:
    return request.method == "POST" and '"dryRun"' not in (request.post_data or "")


def fail_writes(page: Page, path: str, fail: Callable[[Route, int], None]) -> list[str | None]:
    """Give each write to a path to `fail`, with its number; the list gets their keys."""
    keys: list[str | None] = []

    def handle(route: Route) -> None:
        if route.request.method == "GET" or '"dryRun"' in (route.request.post_data or ""):
            route.continue_()
            return
        keys.append(route.request.headers.get("idempotency-key"))
        fail(route, len(keys))

    page.route(path, handle)
    return keys


def retry_until_given_up(console: Console, keys: list[Any]) -> None:
    """End each wait by its button, until the last attempt has failed."""
    button = console.page.locator(".banner button")
    for attempt in range(1, ATTEMPTS):
        expect(button).to_be_visible()
        assert len(keys) == attempt
        with console.page.expect_request(is_write):
            button.click()
    expect(console.page.locator(".banner")).to_have_count(0)
    assert len(keys) == ATTEMPTS


@pytest.mark.parametrize("language", ["en", "ar"])
def test_work_continues_when_the_connection_is_back(
    open_console: Opener, api: Client, language: str
) -> None:
    create_links(api, 4)
    console = open_console(language=language)
    page = console.page
    console.open()
    expect(console.rows).to_have_count(4)
    console.select(0, 2)
    keys: list[str | None] = []

    def note(request: Request) -> None:
        if is_write(request):
            keys.append(request.headers.get("idempotency-key"))

    page.on("request", note)

    # The dry run of the sheet waits for the connection.
    page.context.set_offline(True)
    page.keyboard.press("Delete")
    expect(page.locator(".banner")).to_contain_text(OFFLINE[language])
    expect(page.locator("dialog button[type=submit]")).to_have_attribute("aria-disabled", "true")
    page.locator("dialog input[type=text]").fill("the tour is over")
    page.context.set_offline(False)
    expect(page.locator(".figures dd").first).to_have_text("2")
    expect(page.locator(".banner")).to_have_count(0)

    # So does the delete; nothing was lost.
    page.context.set_offline(True)
    page.locator("dialog button[type=submit]").click()
    expect(page.locator(".banner")).to_contain_text(OFFLINE[language])
    expect(page.locator("dialog input[type=text]")).to_have_value("the tour is over")
    expect(console.selected).to_have_count(2)
    console.screenshot(f"offline-{language}")
    page.context.set_offline(False)
    expect(console.rows).to_have_count(2)
    [deletion] = api.get("/api/deletions").json["deletions"]
    assert (deletion["reason"], deletion["counts"]["deleted"]) == ("the tour is over", 2)
    assert len(keys) >= 2
    assert len(set(keys)) == 1
    assert keys[0]

    # And so does another view.
    page.context.set_offline(True)
    console.go("trash")
    expect(page.locator(".banner")).to_contain_text(OFFLINE[language])
    page.context.set_offline(False)
    expect(console.rows).to_have_count(2)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_busy_service_is_retried(open_console: Opener, api: Client, language: str) -> None:
    create_links(api, 2)
    console = open_console(language=language)
    asked: list[str] = []

    def busy(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            respond(route, 503, {"error": {"en": "-", "ar": "-"}, "retryAfter": 120})
        elif len(asked) == 2:
            # A gateway's own page, which is not JSON.
            route.fulfill(status=504, content_type="text/html", body="<h1>Gateway timeout</h1>")
        else:
            route.continue_()

    console.page.route("**/api/links?*", busy)
    console.open()
    banner = console.page.locator(".banner")
    expect(banner).to_contain_text(BUSY[language])
    # As long as the service asks for, and one may try at once.
    expect(banner).to_contain_text("120" if language == "en" else "ثانية")
    banner.get_by_role("button").click()
    expect(console.rows).to_have_count(2)
    expect(banner).to_have_count(0)
    assert len(asked) == 3


#: The number of each attempt's request is the page's own: the test sees a request later.
COUNT_READS = """
window.reads = 0;
const real = window.fetch;
window.fetch = (address, options) => {
  if (String(address).includes("/links?")) window.reads++;
  return real(address, options);
};
"""


# The jitter is chance: its ends are exact.
@pytest.mark.parametrize(("chance", "first", "longest"), [(0, 750, 22_500), (1, 1_000, 30_000)])
def test_reads_are_repeated_more_and_more_rarely(
    open_console: Opener, chance: int, first: int, longest: int
) -> None:
    console = open_console(own_window=True)
    page = console.page
    page.clock.install()
    page.add_init_script(f"{COUNT_READS} Math.random = () => {chance};")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/api/links?*", hold)
    with page.expect_request("**/api/links?*"):
        console.open()
    # From here the page's clock advances only when the test advances it.
    page.clock.pause_at(page.evaluate("Date.now()") + 3_600_000)

    for attempt, pause in enumerate([min(first * 2**n, longest) for n in range(8)], start=1):
        respond(waiting.pop(), 503, {})
        expect(page.locator(".banner")).to_be_visible()
        page.clock.run_for(pause - 1)
        assert page.evaluate("reads") == attempt
        with page.expect_request("**/api/links?*"):
            page.clock.run_for(1)
        assert page.evaluate("reads") == attempt + 1

    waiting.pop().continue_()
    expect(page.locator(".empty h2")).to_have_text("No links yet")
    page.clock.run_for(longest)
    assert page.evaluate("reads") == attempt + 1


def test_a_delete_that_was_given_up_can_be_sent_again_with_its_key(
    open_console: Opener, api: Client
) -> None:
    create_links(api, 3)
    console = open_console()
    page = console.page
    console.open()
    expect(console.rows).to_have_count(3)
    console.select(0, 1)
    page.keyboard.press("Delete")
    page.locator("dialog input[type=text]").fill("the tour is over")
    expect(page.locator(".figures dd").first).to_have_text("2")

    def lost(route: Route, number: int) -> None:
        if number > ATTEMPTS:
            route.continue_()
            return
        if number == 1:
            # It arrives, and its response does not.
            route.fetch()
        route.abort("connectionreset")

    keys = fail_writes(page, "**/api/deletions", lost)
    submit = page.locator("dialog button[type=submit]")
    submit.click()
    retry_until_given_up(console, keys)

    expect(page.locator("dialog [role=alert]")).to_contain_text("There is no connection")
    expect(page.locator("dialog input[type=text]")).to_have_value("the tour is over")
    expect(console.selected).to_have_count(2)
    submit.click()
    expect(console.toast).to_contain_text("2 links moved to trash")
    assert len(keys) == ATTEMPTS + 1
    assert len(set(keys)) == 1
    assert keys[0]
    [deletion] = api.get("/api/deletions").json["deletions"]
    assert deletion["counts"]["deleted"] == 2


def test_a_link_is_created_once_when_requests_or_responses_are_lost(
    open_console: Opener, api: Client
) -> None:
    console = open_console()
    page = console.page
    console.open("new")
    page.get_by_label("Destination").fill("https://example.com/once")

    def lost(route: Route, number: int) -> None:
        if number <= ATTEMPTS:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    keys = fail_writes(page, "**/api/links", lost)
    page.get_by_role("button", name="Create link").click()
    retry_until_given_up(console, keys)
    expect(page.get_by_role("alert")).to_contain_text("There is no connection")
    expect(page.get_by_label("Destination")).to_have_value("https://example.com/once")
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(".qr img")).to_be_visible()
    [link] = api.get("/api/links").json["links"]
    assert link["originalUrl"] == "https://example.com/once"

    # The next one with the same fields is another link, with its own key.
    console.go("new")
    page.get_by_label("Destination").fill("https://example.com/once")
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(".qr img")).to_be_visible()
    assert len(api.get("/api/links").json["links"]) == 2
    assert len(set(keys)) == 2


def test_a_write_that_cannot_be_repeated_is_sent_once(open_console: Opener, api: Client) -> None:
    [link] = create_links(api, 1)
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    keys = fail_writes(page, f"**/api/links/{link['id']}", lambda route, _: route.abort())
    page.get_by_label("Title").fill("Changed")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("There is no connection")
    expect(page.get_by_label("Title")).to_have_value("Changed")
    assert keys == [None]


def test_an_import_that_stops_halfway_creates_each_row_once(
    open_console: Opener, api: Client
) -> None:
    console = open_console()
    page = console.page

    def small(route: Route) -> None:
        me = route.fetch().json()
        me["plan"]["linksPerCreate"] = 2
        respond(route, 200, me)

    page.route("**/api/me", small)

    def second_fails(route: Route, number: int) -> None:
        if number == 2:
            respond(route, 500, {"statusCode": 500, "message": "Internal error"})
        else:
            route.continue_()

    fail_writes(page, "**/api/links", second_fails)
    console.open("new")
    rows = "\n".join(f"https://example.com/{number}" for number in range(5))
    page.get_by_label("URLs or CSV").fill(rows)
    page.get_by_role("button", name="Create 5 links").click()
    expect(page.get_by_role("alert")).to_contain_text("Internal error")
    expect(page.locator(".preview tr", has_text="example.com/1")).to_contain_text("Created")
    page.get_by_role("button", name="Create 3 links").click()
    expect(page.locator(".preview")).to_have_count(0)
    made = [link["originalUrl"] for link in api.get("/api/links").json["links"]]
    assert sorted(made) == [f"https://example.com/{number}" for number in range(5)]


def test_a_language_that_cannot_be_loaded_says_so(open_console: Opener, api: Client) -> None:
    create_links(api, 1)
    console = open_console()
    page = console.page
    console.open()
    expect(console.rows).to_have_count(1)
    page.route("**/console/ar.js?*", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="العربية").click()
    expect(console.toast).to_contain_text("There is no connection")
    expect(page.locator("html")).to_have_attribute("lang", "en")
