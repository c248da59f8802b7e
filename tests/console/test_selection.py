"""Finding and selecting links: what is shown as selected is exactly what is deleted."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from local.demo_data import Workspace
from tests.console.conftest import Console, Opener, create_links
from tests.support.http_client import Client


def test_the_address_contains_the_filter(open_console: Opener, api: Client) -> None:
    create_links(api, 3, tags=["spring sale"])
    create_links(api, 2, tags=["other"], isActive=False)
    console = open_console()
    page = console.page
    console.open()
    expect(console.rows).to_have_count(5)

    page.locator(".filter-line button").click()
    page.get_by_label("Tag").fill("spring sale")
    expect(console.rows).to_have_count(3)
    assert page.url.endswith("#/links?tag=spring+sale")
    page.locator("#filter-title").fill("link 1")
    expect(console.rows).to_have_count(1)

    page.reload()
    console.sign_in()
    expect(console.rows).to_have_count(1)
    expect(page.locator("#filter-title")).to_have_value("link 1")
    page.get_by_role("button", name="Clear all").click()
    expect(console.rows).to_have_count(5)
    page.locator(".filter-line button").click()
    page.get_by_label("Status").select_option("false")
    expect(console.rows).to_have_count(2)


def test_a_shift_click_selects_all_between(open_console: Opener, api: Client) -> None:
    create_links(api, 8)
    console = open_console()
    console.open()
    console.rows.nth(1).click(position={"x": 20, "y": 20})
    console.rows.nth(4).click(position={"x": 20, "y": 20}, modifiers=["Shift"])
    expect(console.selected).to_have_count(4)
    console.rows.nth(2).click(position={"x": 20, "y": 20})
    expect(console.selected).to_have_count(3)
    console.page.keyboard.press("Escape")
    expect(console.selected).to_have_count(0)


def select_all_matching(console: Console, count: str) -> None:
    expect(console.rows.first).to_be_visible()
    console.page.locator(".check-button").click()
    matching = console.page.get_by_role("button", name=f"Select all {count} that match")
    matching.click()
    expect(console.page.locator(".toolbar p")).to_have_text(
        f"All {count} links that match are selected"
    )


def test_all_that_match_are_deleted_and_no_other(open_console: Opener, api: Client) -> None:
    create_links(api, 250, tags=["tour"])
    kept = create_links(api, 2, tags=["keep"])
    console = open_console()
    # Nothing more is loaded than the first page: the selection is by the filter.
    console.page.route("**/api/links?*cursor=*", lambda route: None)
    console.open("links?tag=tour")
    select_all_matching(console, "250")
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".figures dd").first).to_have_text("250")
    console.page.locator("dialog button[type=submit]").click()
    expect(console.toast).to_contain_text("250 links moved to trash")
    expect(console.page.locator(".empty h2")).to_have_text("No link matches")
    left = api.get("/api/links").json["links"]
    assert {link["id"] for link in left} == {link["id"] for link in kept}
    [deletion] = api.get("/api/deletions").json["deletions"]
    assert deletion["filter"] == {"tag": "tour"}


def test_a_changed_set_is_shown_and_nothing_is_deleted(open_console: Opener, api: Client) -> None:
    create_links(api, 120, tags=["tour"])
    console = open_console()
    console.page.route("**/api/links?*cursor=*", lambda route: None)
    console.open("links?tag=tour")
    select_all_matching(console, "120")
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".figures dd").first).to_have_text("120")

    create_links(api, 3, tags=["tour"])
    console.page.locator("dialog button[type=submit]").click()

    notice = console.page.locator("dialog .notice.error")
    expect(notice).to_contain_text("Nothing was deleted: other links match now.")
    expect(notice).to_contain_text("Links: 120 before, 123 now.")
    assert api.get("/api/deletions").json["deletions"] == []
    # The sheet asks again, for the set as it is now.
    submit = console.page.locator("dialog button[type=submit]")
    expect(submit).to_have_text("Move 123 links to trash")
    submit.click()
    expect(console.toast).to_contain_text("123 links moved to trash")


def test_a_changed_set_names_the_links_that_joined_and_left(
    open_console: Opener, api: Client
) -> None:
    create_links(api, 120, tags=["tour"])
    console = open_console()
    console.page.route("**/api/links?*cursor=*", lambda route: None)
    console.open("links?tag=tour")
    select_all_matching(console, "120")
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".figures dd").first).to_have_text("120")

    newest = api.get("/api/links?tag=tour&limit=1").json["links"][0]
    assert api.post("/api/deletions", {"ids": [newest["id"]]}).status in {200, 202}
    joined = create_links(api, 12, tags=["tour"])
    console.page.locator("dialog button[type=submit]").click()

    notice = console.page.locator("dialog .notice.error")
    expect(notice).to_contain_text("Links: 120 before, 131 now.")
    expect(notice.locator(".joined")).to_contain_text("and 2 others")
    named = notice.locator(".joined bdi").all_text_contents()
    assert len(set(named)) == 10
    assert set(named) < {link["shortCode"] for link in joined}
    # Links that only moved to the next page have not left the set.
    assert notice.locator(".gone bdi").all_text_contents() == [newest["shortCode"]]
    expect(notice).to_contain_text("Compared with the links that this page had loaded.")
    console.screenshot("changed-set")


def test_removed_links_are_listed_and_can_be_left_out(open_console: Opener, api: Client) -> None:
    links = create_links(api, 4)
    console = open_console()
    console.open()
    expect(console.rows).to_have_count(4)
    console.page.locator(".check-button").click()
    api.delete("/api/links", [links[0]["id"]])
    console.page.keyboard.press("Delete")

    notice = console.page.locator("dialog .notice")
    expect(notice).to_contain_text("1 selected link no longer exists")
    notice.get_by_role("button").click()
    submit = console.page.locator("dialog button[type=submit]")
    expect(submit).to_have_text("Move 3 links to trash")
    submit.click()
    expect(console.toast).to_contain_text("3 links moved to trash")
    assert api.get("/api/links").json["links"] == []


def test_without_any_link_left_there_is_none_to_leave_out(
    open_console: Opener, api: Client
) -> None:
    [link] = create_links(api, 1)
    console = open_console()
    console.open()
    console.select(0)
    api.delete("/api/links", [link["id"]])
    console.page.keyboard.press("Delete")

    notice = console.page.locator("dialog .notice")
    expect(notice).to_contain_text("1 selected link no longer exists")
    expect(notice.get_by_role("button")).to_have_count(0)


def test_a_reader_sees_why_nothing_can_be_deleted(
    open_console: Opener, api: Client, workspace: Workspace
) -> None:
    create_links(api, 2)
    console = open_console(key=workspace.read_key)
    console.open()
    console.select(0)

    delete = console.page.get_by_role("button", name="Delete…")
    expect(delete).to_have_attribute("aria-disabled", "true")
    delete.click(force=True)
    expect(console.toast).to_contain_text("linksWrite or linksErase")
    console.page.keyboard.press("Delete")
    expect(console.page.locator(".toast")).to_have_count(2)
    expect(console.page.locator("dialog")).to_have_count(0)


def test_text_can_be_selected_past_the_edge_of_the_sheet(open_console: Opener, api: Client) -> None:
    create_links(api, 1)
    console = open_console()
    page = console.page
    console.open()
    console.select(0)
    page.keyboard.press("Delete")
    reason = page.locator("dialog input[type=text]")
    reason.fill("the tour is over")
    box = reason.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(100, box["y"] + 10)
    page.mouse.up()
    expect(reason).to_have_value("the tour is over")
    # Pressed outside, it closes.
    page.mouse.click(100, box["y"] + 10)
    expect(page.locator("dialog")).to_have_count(0)


def test_letters_typed_while_results_arrive_stay(open_console: Opener, api: Client) -> None:
    create_links(api, 2)
    console = open_console()
    page = console.page
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/api/links?title=*", hold)
    console.open()
    expect(console.rows).to_have_count(2)
    search = page.locator("#filter-title")
    with page.expect_request("**/api/links?title=*"):
        search.press_sequentially("link")
    with page.expect_response("**/api/links?title=link&*"):
        search.press_sequentially(" ")
        waiting.pop().continue_()
    search.press_sequentially("1")
    page.unroute_all()
    expect(console.rows).to_have_count(1)
    expect(search).to_have_value("link 1")
