"""Creating, editing, importing, the trash, and what a link's page shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import expect

from local.demo_data import Workspace
from tests.console.conftest import Opener, create_links
from tests.support.http_client import Client


def test_a_link_is_created_and_edited(open_console: Opener, api: Client) -> None:
    console = open_console()
    page = console.page
    console.open()
    page.locator(".toolbar, .empty").get_by_role("link", name="New link").first.click()
    page.get_by_label("Destination").fill("https://example.com/spring")
    page.get_by_label("Short code").fill("spring-26")
    page.get_by_label("Title").fill("Spring")
    page.get_by_label("Tags, separated").fill("one, two")
    page.get_by_role("button", name="Create link").click()
    expect(page.locator("h1")).to_have_text("Spring")
    created = api.get("/api/links/spring-26").json
    assert (created["title"], created["tags"]) == ("Spring", ["one", "two"])
    assert created["isActive"] is True

    page.get_by_label("Title").fill("Summer")
    page.get_by_label("Active: the short link redirects").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(console.toast).to_contain_text("Saved")
    expect(page.locator("h1")).to_have_text("Summer")
    changed = api.get("/api/links/spring-26").json
    assert (changed["title"], changed["isActive"]) == ("Summer", False)
    assert changed["originalUrl"] == "https://example.com/spring"


def test_only_what_was_edited_is_saved(open_console: Opener, api: Client) -> None:
    link = api.create(title="Old", tags=["a,b"], expiresAt="2099-01-31T23:59:59Z")
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    expect(page.get_by_label("Title")).to_have_value("Old")
    # Another user changes it too.
    api.put(f"/api/links/{link['id']}", {"description": "Another's"})
    page.get_by_label("Title").fill("New")
    page.get_by_role("button", name="Save").click()
    expect(console.toast).to_contain_text("Saved")
    changed = api.get(f"/api/links/{link['id']}").json
    assert (changed["title"], changed["description"]) == ("New", "Another's")
    # The form shows neither seconds nor which comma is part of a tag.
    assert (changed["tags"], changed["expiresAt"]) == (link["tags"], link["expiresAt"])


def test_the_error_of_a_taken_code_says_what_uses_it(open_console: Opener, api: Client) -> None:
    [link] = create_links(api, 1, shortCode="taken-code")
    console = open_console()
    page = console.page
    console.open("new")
    page.get_by_label("Destination").fill("https://example.com/")
    page.get_by_label("Short code").fill("taken-code")
    page.get_by_role("button", name="Create link").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("is in use by another link")
    api.delete("/api/links", [link["id"]])
    page.get_by_role("button", name="Create link").click()
    expect(alert).to_contain_text("belongs to a link in the trash")
    # What was typed is still there.
    expect(page.get_by_label("Short code")).to_have_value("taken-code")


#: As Excel writes it in many countries: a byte order mark, semicolons.
ROWS = (
    "\ufeffurl;code;title;tags",
    'https://example.com/1;good-one;"First; with ""quotes""";a,b',
    "https://example.com/2;;Second;",
    "ftp://example.com/3;good-two;Third;",
    "https://example.com/4;no;Fourth;",
    "https://example.com/5;good-one;Fifth;",
    "https://example.com/6;taken-here;Sixth;",
    "https://user:secret@example.com/7;;Seventh;",
)


def test_a_file_is_imported_and_bad_rows_are_named(
    open_console: Opener, api: Client, tmp_path: Path
) -> None:
    create_links(api, 1, shortCode="taken-here")
    file = tmp_path / "links.csv"
    file.write_text("\n".join(ROWS), encoding="utf-8")
    console = open_console()
    page = console.page
    console.open("new")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("button", name="Create 4 links")).to_be_enabled()
    preview = page.locator(".preview")
    expect(preview.locator("tr", has_text="ftp://")).to_contain_text("Not an http or https URL")
    expect(preview.locator("tr", has_text="example.com/4")).to_contain_text("Code not allowed")
    expect(preview.locator("tr", has_text="example.com/5")).to_contain_text("The same as")

    page.get_by_role("button", name="Create 4 links").click()

    # The service refused two more: one bad row does not end it.
    expect(console.toast).to_contain_text("2 links created")
    expect(preview.locator("tr", has_text="taken-here")).to_contain_text("is in use")
    expect(preview.locator("tr", has_text="example.com/7")).to_contain_text("originalUrl")
    made = {link["title"]: link for link in api.get("/api/links").json["links"]}
    assert made['First; with "quotes"']["shortCode"] == "good-one"
    assert made['First; with "quotes"']["tags"][:2] == ["a", "b"]
    [tag] = made["Second"]["tags"]
    assert tag.startswith("import-")
    # One filter finds them all.
    console.toast.get_by_role("link").click()
    expect(console.rows).to_have_count(2)


def test_a_table_has_the_columns_of_the_command(open_console: Opener, api: Client) -> None:
    console = open_console()
    page = console.page
    console.open("new")
    page.get_by_label("URLs or CSV").fill(
        "Destination URL,Back-half,Name,Active,utm_source,iOS URL,Tags\n"
        'https://example.com/a;b,from-bitly,"Sale, again",no,mail,https://example.com/app,x;y\n'
    )
    page.get_by_role("button", name="Create 1 link").click()
    expect(console.toast).to_contain_text("1 link created")
    made = api.get("/api/links/from-bitly").json
    assert made["originalUrl"] == "https://example.com/a;b"
    assert (made["title"], made["isActive"]) == ("Sale, again", False)
    assert made["utmParameters"]["source"] == "mail"
    assert made["iosUrl"] == "https://example.com/app"
    assert made["tags"][:2] == ["x", "y"]


def test_a_line_without_a_header_is_one_url(open_console: Opener, api: Client) -> None:
    urls = ["https://example.com/a,shoes", "https://example.com/b;id=1", "https://example.com/c"]
    console = open_console()
    page = console.page
    console.open("new")
    for text in ("\n".join(urls), "\n".join(["url", *urls])):
        page.get_by_label("URLs or CSV").fill(text)
        page.get_by_role("button", name="Create 3 links").click()
        expect(console.toast).to_contain_text("3 links created")
        console.toast.get_by_role("button").click()
        expect(page.locator(".toast")).to_have_count(0)
    made = [link["originalUrl"] for link in api.get("/api/links").json["links"]]
    assert sorted(made) == sorted(urls * 2)


def test_the_trash_restores_and_erases(open_console: Opener, api: Client) -> None:
    links = create_links(api, 3)
    ids = [link["id"] for link in links]
    first = api.post("/api/deletions", {"ids": ids[:2], "reason": "first"})
    second = api.post("/api/deletions", {"ids": ids[2:], "reason": "second"})
    assert (first.status, second.status) == (200, 200)
    console = open_console()
    page = console.page
    console.open("trash")
    expect(console.rows).to_have_count(3)
    expect(console.rows.first).to_contain_text("second")
    page.locator(".check-button").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".empty h2")).to_have_text("The trash is empty")
    assert len(api.get("/api/links").json["links"]) == 3

    api.post("/api/deletions", {"ids": ids[:1]})
    page.reload()
    console.sign_in()
    console.rows.first.click(position={"x": 20, "y": 20})
    page.get_by_role("button", name="Erase permanently…").click()
    page.locator("dialog input[inputmode=numeric]").fill("1")
    page.locator("dialog button[type=submit]").click()
    expect(page.locator(".empty h2")).to_have_text("The trash is empty")
    [latest, *_] = api.get("/api/deletions").json["deletions"]
    assert latest["mode"] == "erase"
    assert latest["counts"]["deleted"] == 1


def test_the_trash_is_filtered_by_the_address(
    open_console: Opener, api: Client, workspace: Workspace
) -> None:
    links = create_links(api, 3)
    ids = [link["id"] for link in links]
    Client(api.base_url, workspace.api_key).post("/api/deletions", {"ids": ids[:1]})
    api.post("/api/deletions", {"ids": ids[1:]})
    today = datetime.now(UTC).date().isoformat()
    console = open_console()
    page = console.page
    console.open("trash?actor=user-api&bogus=1")
    expect(console.rows).to_have_count(1)
    expect(console.rows).to_contain_text(links[0]["shortCode"])
    expect(page.locator(".chips li").first).to_contain_text(
        "\u2068User or key\u2069: \u2068user-api\u2069"
    )
    expect(page.locator("input[name=actor]")).to_have_value("user-api")
    # Typed into, and from the address again.
    page.locator("input[name=actor]").fill("user-admin")
    expect(console.rows).to_have_count(2)
    assert page.evaluate("location.hash") == "#/trash?actor=user-admin"
    page.locator("input[name=deletedAfter]").fill(today)
    page.locator("input[name=deletedBefore]").fill(today)
    expect(page.locator(".chips li")).to_have_count(4)
    expect(console.rows).to_have_count(2)
    page.reload()
    console.sign_in()
    expect(console.rows).to_have_count(2)
    expect(page.locator("input[name=deletedAfter]")).to_have_value(today)
    expect(page.locator("input[name=deletedBefore]")).to_have_value(today)
    query = page.evaluate("location.hash.split('?')[1]")
    assert len(api.get(f"/api/trash?{query}").json["links"]) == 2
    page.locator("input[name=deletedBefore]").fill("2026-01-01")
    page.locator("input[name=deletedAfter]").fill("2026-01-01")
    expect(page.locator(".empty h2")).to_have_text("No link matches")
    # What is chosen and filtered away is not acted on.
    page.get_by_role("button", name="Clear all").click()
    expect(console.rows).to_have_count(3)
    assert page.evaluate("location.hash") == "#/trash"
    page.locator(".check-button").click()
    page.locator("input[name=actor]").fill("user-api")
    expect(page.locator(".toolbar p")).to_have_text("1 selected")
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".empty h2")).to_have_text("No link matches")
    assert [link["id"] for link in api.get("/api/links").json["links"]] == [ids[0]]


def test_a_links_page_shows_clicks_qr_code_and_export(open_console: Opener, api: Client) -> None:
    link = api.create(title="Clicked", shortCode="clicked-1")
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    expect(page.locator(".bars rect")).to_have_count(30)
    page.get_by_label("Period").select_option("7")
    expect(page.locator(".bars rect")).to_have_count(7)
    page.get_by_text("As a table").click()
    expect(page.locator("figure tbody tr")).to_have_count(7)
    image = page.locator(".qr img")
    expect(image).to_be_visible()
    assert page.evaluate("document.querySelector('.qr img').naturalWidth") == 256
    with page.expect_download() as downloading:
        page.get_by_role("button", name="PNG").click()
    assert downloading.value.suggested_filename == "clicked-1.png"
    page.get_by_role("button", name="Export clicks").click()
    download = page.get_by_role("link", name="Download the export")
    expect(download).to_have_attribute("href", re.compile("^http"))


def test_the_plan_is_shown_with_what_is_left(open_console: Opener) -> None:
    console = open_console()
    console.open("usage")
    facts = console.page.locator(".facts")
    expect(facts.nth(0)).to_contain_text("requests left in this minute")
    expect(facts.nth(1)).to_contain_text("10,000")
    expect(facts.nth(2)).to_contain_text("365")


def test_a_key_is_issued_shown_once_and_revoked(
    open_console: Opener, api: Client, base_url: str
) -> None:
    console = open_console()
    page = console.page
    console.open("keys")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Name").fill("<b>robot</b>")
    page.get_by_label("analyticsRead").check()
    page.get_by_role("button", name="Create key").click()
    secret = page.locator(".secret").inner_text()
    assert Client(base_url, secret).get("/api/me").json["scopes"] == ["linksRead", "analyticsRead"]
    page.keyboard.press("Escape")
    expect(page.locator(".secret")).to_have_count(0)
    row = page.locator("tbody tr", has_text="<b>robot</b>")
    row.get_by_role("button", name="Revoke").click()
    expect(page.locator("dialog")).to_contain_text("stops working within a minute")
    page.locator("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    [state] = [
        key["state"] for key in api.get("/api/keys").json["keys"] if key["name"] == "<b>robot</b>"
    ]
    assert state == "revoked"


def test_the_deletions_are_filtered_by_the_address(open_console: Opener, api: Client) -> None:
    trashed, erased = (link["id"] for link in create_links(api, 2))
    api.post("/api/deletions", {"ids": [trashed]})
    api.post("/api/deletions", {"ids": [erased], "mode": "erase"})
    console = open_console()
    console.open("deletions?mode=erase&state=nonsense")
    page = console.page
    rows = page.locator("tbody tr")

    expect(rows).to_have_count(1)
    expect(rows.locator(".badge.erase")).to_have_text("Erase")
    expect(page.locator("select[name=mode]")).to_have_value("erase")
    page.locator("input[name=actor]").fill("user-nobody")
    expect(page.locator(".view")).to_contain_text("No deletion matches")
    page.locator("input[name=actor]").fill("user-admin")
    page.locator("input[name=createdAfter]").fill(datetime.now(UTC).date().isoformat())
    expect(rows).to_have_count(1)
    assert "&createdAfter=" in page.evaluate("location.hash")
    page.locator("input[name=createdAfter]").fill("")
    page.locator("input[name=actor]").fill("")
    expect(page.locator(".chips li")).to_have_count(2)
    page.locator("select[name=mode]").select_option("")
    expect(rows).to_have_count(2)
    page.locator("select[name=state]").select_option("failed")
    expect(page.locator(".view")).to_contain_text("No deletion matches")
    assert page.evaluate("location.hash") == "#/deletions?state=failed"
    page.locator("select[name=state]").select_option("complete")
    page.locator("select[name=mode]").select_option("soft")
    expect(rows).to_have_count(1)
    expect(rows.locator(".badge.soft")).to_have_text("Trash")
    assert page.evaluate("location.hash") == "#/deletions?state=complete&mode=soft"
    page.reload()
    console.sign_in()
    expect(rows).to_have_count(1)
    expect(page.locator("select[name=state]")).to_have_value("complete")


def test_a_link_deleted_on_its_page_leads_back_to_the_links(
    open_console: Opener, api: Client
) -> None:
    kept, link = create_links(api, 2)
    console = open_console()
    page = console.page
    console.open(f"links/{link['id']}")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Move 1 link to trash").click()
    expect(console.toast).to_contain_text("1 link moved to trash")
    expect(console.rows).to_have_count(1)
    expect(console.rows).to_contain_text(kept["shortCode"])
    expect(page.get_by_role("alert")).to_have_count(0)
