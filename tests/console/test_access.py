"""Actions that a role or a key does not include are not available, and the console says why."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Response, expect

from local.demo_data import User, Workspace
from local.stack import LocalStack
from tests.console.conftest import Console, Opener, create_links, sign_in_as
from tests.support.http_client import Client

#: How the scope and what lacks it are named, in each language.
REASONS = {
    "en": ("“{}” needs {}, which your role viewer does not include.", "or"),
    "ar": ("يتطلب «{}» الصلاحية {}، وهي ليست ضمن دورك viewer.", "أو"),
}
LABELS = {
    "en": {
        "new": "New link",
        "delete": "Delete",
        "restore": "Restore",
        "erase": "Erase permanently",
        "edit": "Edit",
        "links": "New links",
        "keys": "Keys",
    },
    "ar": {
        "new": "رابط جديد",
        "delete": "حذف",
        "restore": "استعادة",
        "erase": "محو نهائي",
        "edit": "تعديل",
        "links": "روابط جديدة",
        "keys": "المفاتيح",
    },
}


@pytest.fixture
def viewer(stack: LocalStack, workspace: Workspace) -> User:
    """A member of the workspace, as a viewer."""
    made = stack.access.add_user(f"{secrets.token_hex(6)}@example.com")
    stack.access.add_member(workspace.workspace_id, made, role="viewer")
    return made


def statuses(console: Console) -> list[int]:
    """The statuses of what the page asks the API for, from now on."""
    found: list[int] = []

    def note(response: Response) -> None:
        if "/api/" in response.url:
            found.append(response.status)

    console.page.on("response", note)
    return found


def plain(text: str | None) -> str:
    """Without the isolates around inserted texts."""
    return (text or "").replace("\u2068", "").replace("\u2069", "")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_viewer_sees_all_views_and_why_the_rest_is_not_available(
    open_console: Opener, api: Client, viewer: User, language: str
) -> None:
    links = create_links(api, 3)
    trashed = api.post("/api/deletions", {"ids": [links[0]["id"]], "reason": "over"})
    deletion_id = trashed.json["id"]
    console = open_console(language=language)
    page = console.page
    found = statuses(console)
    page.goto(console.address)
    sign_in_as(console, viewer)
    expect(console.rows).to_have_count(2)
    sentence, either = REASONS[language]
    label = LABELS[language]

    def refused(name: str, scopes: str) -> None:
        """The button is shown as not available, and says why before and after it is pressed."""
        reason = sentence.format(label[name], scopes)
        button = page.locator(".view button[aria-disabled=true]", has_text=label[name]).first
        assert plain(button.get_attribute("title")) == reason
        # Playwright waits for what is not available; a person does not.
        button.click(force=True)
        assert plain(console.toast.locator("span").first.text_content()) == reason
        console.toast.locator("button").click()
        expect(page.locator(".toast")).to_have_count(0)

    def explained(name: str, scopes: str) -> None:
        reason = sentence.format(label[name], scopes)
        texts = [plain(text) for text in page.locator(".view .notice").all_text_contents()]
        assert reason in [text.strip() for text in texts]

    refused("new", "linksWrite")
    console.select(0)
    refused("delete", f"linksWrite {either} linksErase")
    page.keyboard.press("Delete")
    expect(console.toast).to_contain_text("linksErase")
    console.toast.locator("button").click()
    expect(page.locator("dialog")).to_have_count(0)
    console.screenshot(f"viewer-links-{language}")

    console.go("trash")
    expect(console.rows).to_have_count(1)
    console.select(0)
    refused("restore", "linksRestore")
    refused("erase", "linksErase")

    console.go(f"deletions/{deletion_id}")
    expect(console.rows).to_have_count(1)
    # The button counts the links that it would restore.
    restore = page.locator(".page-head button[aria-disabled=true]")
    assert plain(restore.get_attribute("title")) == sentence.format(
        label["restore"], "linksRestore"
    )

    console.go(f"links/{links[1]['id']}")
    expect(page.locator(".bars rect")).to_have_count(30)
    expect(page.locator(".view form")).to_have_count(0)
    explained("edit", "linksWrite")
    console.screenshot(f"viewer-link-{language}")

    console.go("new")
    expect(page.locator("h1")).to_have_text(label["links"])
    explained("links", "linksWrite")
    expect(page.locator(".view form")).to_have_count(0)
    console.go("keys")
    expect(page.locator("h1")).to_have_text(label["keys"])
    explained("keys", "admin")
    expect(page.locator("table, .view form")).to_have_count(0)
    console.go("usage")
    expect(page.locator(".facts").first).to_contain_text("viewer")
    # No request was sent that had to be refused.
    assert 403 not in found
    assert len(found) > 5


def test_a_write_only_key_creates_links_and_sees_why_it_cannot_read(
    open_console: Opener, stack: LocalStack, workspace: Workspace, api: Client
) -> None:
    key = stack.access.add_key(workspace.workspace_id, "write", ("linksWrite",))
    console = open_console(key=key)
    page = console.page
    found = statuses(console)
    console.open()
    notice = page.locator(".view .notice")
    for view in ("links", "trash", "deletions"):
        console.go(view)
        expect(page.get_by_role("heading", level=1)).to_have_text(view.title())
        assert plain(notice.text_content()).strip() == (
            f"“{view.title()}” needs linksRead, which this API key does not include."
        )
    console.go("links")
    page.get_by_role("link", name="New link").click()
    page.get_by_label("Destination").fill("https://example.com/written")
    page.get_by_role("button", name="Create link").click()
    expect(notice).to_contain_text("linksRead")
    assert [link["originalUrl"] for link in api.get("/api/links").json["links"]] == [
        "https://example.com/written"
    ]
    assert 403 not in found


def test_a_sheet_shows_which_scopes_its_choices_need(
    open_console: Opener, stack: LocalStack, workspace: Workspace, api: Client
) -> None:
    create_links(api, 1)
    key = stack.access.add_key(workspace.workspace_id, "trash", ("linksRead", "linksWrite"))
    console = open_console(key=key)
    page = console.page
    console.open()
    console.select(0)
    page.keyboard.press("Delete")
    expect(page.locator(".mode.erase input")).to_be_disabled()
    texts = plain(page.locator("dialog").text_content())
    for label, scope in (
        ("Erase permanently", "linksErase"),
        ("Undo", "linksRestore or linksUndo"),
        ("Write an export first", "analyticsRead"),
    ):
        assert f"“{label}” needs {scope}, which this API key does not include." in texts
    page.locator("dialog button[type=submit]").click()
    expect(console.toast).to_contain_text("1 link moved to trash")
    expect(console.toast.get_by_role("button", name="Undo")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "text", "leave"),
    [
        ("en", "a member of no workspace. Ask an operator to add you.", "Sign out"),
        ("ar", "لست عضوًا في أي مساحة عمل", "تسجيل الخروج"),
    ],
)
def test_a_user_without_a_workspace_gets_a_message_and_can_sign_out(
    open_console: Opener, stack: LocalStack, language: str, text: str, leave: str
) -> None:
    stranger = stack.access.add_user(f"{secrets.token_hex(6)}@example.com")
    console = open_console(language=language)
    page = console.page
    page.goto(console.address)
    sign_in_as(console, stranger)
    notice = page.locator(".card").get_by_role("alert")
    expect(notice).to_contain_text(text)
    # It stays, and the other door is open.
    expect(page.locator("input[type=password]")).to_be_visible()
    console.screenshot(f"no-workspace-{language}")
    # The pool's sign-out leads back to the page, which loads again.
    with page.expect_event("load"), page.expect_response("**/oauth2/revoke"):
        notice.get_by_role("button", name=leave).click()
    expect(page.locator("input[type=password]")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
