"""What link owners and visitors write is shown as text: nothing runs, nothing breaks the page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.console.conftest import Opener
from tests.e2e.client import Client

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
    # Every row keeps its height and its place, whatever is in it.
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
    page.locator("dialog button[type=submit]").click()
    page.locator(".toast a").click()
    expect(page.locator(".facts")).to_contain_text(SCRIPTS[1])
    console.go("deletions")
    expect(page.locator("tbody")).to_contain_text(SCRIPTS[1])
    assert page.evaluate("window.ran ?? null") is None
    assert dialogs == []
    assert page.locator("iframe, .frame script, svg[onload], img[onerror]").count() == 0


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
