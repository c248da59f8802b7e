"""Errors during work: the console waits, says so, and does nothing twice."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Request, Route, expect

from local.demo_data import Workspace
from tests.console.conftest import Console, Opener, create_links, respond
from tests.support.http_client import Client


def delete_all(console: Console, count: int) -> None:
    expect(console.rows).to_have_count(count)
    console.page.locator(".check-button").click()
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".figures dd").first).to_have_text(str(count))


def test_a_full_window_is_waited_for_with_a_countdown(open_console: Opener, api: Client) -> None:
    create_links(api, 2)
    console = open_console()
    refusals = iter([2])

    def limited(route: Route) -> None:
        left = next(refusals, None)
        if left is None:
            route.continue_()
        else:
            respond(route, 429, {"error": {"en": "Rate limit exceeded"}, "retryAfter": left})

    console.page.route("**/api/links?*", limited)
    console.open()
    banner = console.page.locator(".banner")
    expect(banner).to_contain_text("Too many requests. The work goes on by itself.")
    expect(banner).to_contain_text("second")
    expect(console.rows).to_have_count(2)
    expect(banner).to_have_count(0)


def test_after_a_key_expires_the_console_asks_for_one_and_keeps_the_selection(
    open_console: Opener, api: Client
) -> None:
    create_links(api, 4)
    console = open_console()
    page = console.page
    console.open()
    expect(console.rows).to_have_count(4)
    console.rows.nth(0).click(position={"x": 20, "y": 20})
    console.rows.nth(1).click(position={"x": 20, "y": 20})
    ended = {"now": True}
    body = {
        "statusCode": 401,
        "error": {"en": "Invalid API key", "ar": "-"},
        "message": "Authentication required",
    }
    page.route(
        "**/api/deletions",
        lambda route: respond(route, 401, body) if ended["now"] else route.continue_(),
    )
    page.keyboard.press("Delete")
    dialog = page.locator("dialog.box")
    expect(dialog.locator("h2")).to_have_text("Sign in again")
    expect(dialog).to_be_visible()
    # A browser closes a dialog at the second Escape in any case, and then the one behind it.
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    ended["now"] = False
    console.sign_in()
    # The request that was refused is sent again: the sheet is where it was.
    expect(dialog).to_have_count(0)
    expect(page.locator(".figures dd").first).to_have_text("2")
    page.keyboard.press("Escape")
    expect(console.selected).to_have_count(2)


def test_a_wrong_key_is_refused_in_words(open_console: Opener, workspace: Workspace) -> None:
    console = open_console(key="ul_live_wrong")
    console.open()
    alert = console.page.get_by_role("alert")
    expect(alert).to_contain_text("This key is not valid")
    # It could not even be sent in a header.
    console.key = "مفتاح"
    console.sign_in()
    expect(alert).to_contain_text("Paste an API key")
    # As copied from a text in Arabic: with the marks of its direction.
    console.key = f"\u2067\u200f {workspace.admin_key}\u2069"
    console.sign_in()
    expect(console.page.locator(".who")).to_be_visible()


def test_a_tab_that_is_closed_in_the_middle_deletes_all(open_console: Opener, api: Client) -> None:
    links = create_links(api, 400)
    console = open_console()
    console.open()
    console.page.keyboard.press("Tab")
    expect(console.rows.first).to_be_visible()
    console.page.locator(".grid").press("End")
    expect(console.page.locator(".toolbar p")).to_have_text("400 links")
    console.page.locator(".check-button").click()
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".figures dd").first).to_have_text("400")

    def is_delete(request: Request) -> bool:
        return request.method == "POST" and '"dryRun"' not in (request.post_data or "")

    with console.page.expect_request(is_delete):
        console.page.locator("dialog button[type=submit]").click()
    console.page.close()

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = api.get("/api/deletions").json["deletions"]
        if found and found[0]["state"] == "complete":
            break
    assert [each["counts"]["deleted"] for each in found] == [len(links)]
    assert api.get("/api/links").json["links"] == []


def test_another_tab_sees_what_was_deleted(open_console: Opener, api: Client) -> None:
    create_links(api, 3)
    first = open_console()
    first.open()
    second = open_console(same_window_as=first)
    second.open()
    expect(second.rows).to_have_count(3)
    delete_all(first, 3)
    first.page.locator("dialog button[type=submit]").click()
    expect(second.page.locator(".empty h2")).to_have_text("No links yet")
    # Undo here brings them back there.
    first.page.keyboard.press("Control+z")
    expect(second.rows).to_have_count(3)


def test_a_deletion_that_runs_is_found_again_after_a_reload(
    open_console: Opener, api: Client
) -> None:
    [link] = create_links(api, 1)
    assert api.post("/api/deletions", {"ids": [link["id"]], "mode": "erase"}).status in (200, 202)
    console = open_console()
    console.open()
    expect(console.page.locator(".running")).to_contain_text("1 deletion is running")
    console.page.reload()
    console.sign_in()
    expect(console.page.locator(".running")).to_contain_text("1 deletion is running")


def test_undo_is_offered_for_twenty_seconds_and_longer_under_the_pointer(
    open_console: Opener, api: Client
) -> None:
    create_links(api, 1)
    console = open_console(own_window=True)
    page = console.page
    page.clock.install()
    console.open()
    delete_all(console, 1)
    page.locator("dialog button[type=submit]").click()
    expect(console.toast).to_contain_text("1 link moved to trash")
    expect(page.locator(".toasts")).to_have_attribute("role", "status")
    page.clock.run_for(15_000)
    console.toast.hover()
    page.clock.run_for(60_000)
    page.mouse.move(1, 1)
    page.clock.run_for(3_000)
    console.toast.get_by_role("button", name="Undo").focus()
    page.clock.run_for(60_000)
    expect(console.toast).to_contain_text("1 link moved to trash")
    page.locator("#main").focus()
    page.clock.run_for(1_000)
    expect(console.toast).to_be_visible()
    page.clock.run_for(2_000)
    expect(page.locator(".toast")).to_have_count(0)


def fails_once(console: Console, path: str, responses: list[dict[str, Any]]) -> None:
    """Answer requests of a path by an error, then by these responses; the last one stays."""
    errors = iter([1])

    def handle(route: Route) -> None:
        if next(errors, None):
            respond(route, 500, {"message": "Internal error"})
        else:
            respond(route, 200, responses.pop(0) if len(responses) > 1 else responses[0])

    console.page.route(path, handle)


def test_what_runs_is_followed_past_an_error(open_console: Opener, api: Client) -> None:
    [link] = create_links(api, 1)
    complete = api.post("/api/deletions", {"ids": [link["id"]]}).json
    running = complete | {"state": "deleting"}
    console = open_console()
    page = console.page
    error = page.locator(".notice.error")

    fails_once(console, f"**/api/deletions/{complete['id']}?*", [running, complete])
    console.open(f"deletions/{complete['id']}")
    expect(error).to_contain_text("Internal error")
    error.get_by_role("button").click()
    expect(page.locator(".live")).to_contain_text("Moving links to trash")
    fails_once(console, f"**/api/deletions/{complete['id']}?*", [complete])
    expect(error).to_be_visible()
    # What is known stays, and the page asks again by itself.
    expect(page.locator(".live")).to_contain_text("Moving links to trash")
    expect(page.locator(".live")).to_contain_text("Complete")
    expect(error).to_have_count(0)

    page.unroute_all()
    page.route("**/api/deletions?*", lambda route: respond(route, 200, listed(running)), times=1)
    console.go("deletions")
    expect(page.locator("td.state")).to_contain_text("Moving to trash")
    fails_once(console, "**/api/deletions?*", [listed(complete)])
    expect(error).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("td.state")).to_contain_text("Complete")
    expect(error).to_have_count(0)


def listed(deletion: dict[str, Any]) -> dict[str, Any]:
    """A page of the list of deletions with one of them."""
    return {"deletions": [deletion], "nextCursor": None}


def test_an_export_that_cannot_be_followed_can_be_begun_again(
    open_console: Opener, api: Client
) -> None:
    [link] = create_links(api, 1)
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    page.route("**/export/*", lambda route: respond(route, 500, {"message": "Internal error"}))
    export = page.get_by_role("button", name="Export clicks")
    export.click()
    expect(console.toast).to_contain_text("Internal error")
    expect(export).to_have_attribute("aria-disabled", "false")
