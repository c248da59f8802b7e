"""A person without a pointer deletes, undoes, erases, and reads the receipt."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Console, Opener, create_links
from tests.support.http_client import Client


def press(console: Console, *keys: str) -> None:
    for key in keys:
        console.page.keyboard.press(key)


def focus_with_tab(console: Console, selector: str) -> None:
    """Tab until an element that matches has the focus."""
    for _ in range(40):
        if console.page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        press(console, "Tab")
    pytest.fail(f"{selector} cannot be reached with Tab")


def test_delete_undo_and_erase_without_a_pointer(open_console: Opener, api: Client) -> None:
    links = create_links(api, 5)
    console = open_console()
    page = console.page
    console.open()
    expect(console.rows).to_have_count(5)

    # Select the first three, and move them to the trash.
    focus_with_tab(console, ".links-grid")
    press(console, "x", "Shift+ArrowDown", "Shift+ArrowDown")
    expect(console.selected).to_have_count(3)
    press(console, "Delete")
    expect(page.locator(".figures dd").first).to_have_text("3")
    focus_with_tab(console, "dialog input[type=text]")
    page.keyboard.type("the tour is over")
    press(console, "Enter")
    expect(console.rows).to_have_count(2)
    expect(console.toast).to_contain_text("3 links moved to trash")

    # Undo.
    press(console, "Control+z")
    expect(console.rows).to_have_count(5)
    assert api.get(f"/api/links/{links[4]['id']}").status == 200

    # Erase one: the count has to be typed.
    focus_with_tab(console, ".links-grid")
    press(console, "Home", " ", "Delete")
    expect(page.locator(".figures dd").first).to_have_text("1")
    focus_with_tab(console, ".mode input")
    press(console, "ArrowDown")
    submit = page.locator("dialog button[type=submit]")
    expect(submit).to_have_text("Erase 1 link permanently")
    expect(submit).to_have_attribute("aria-disabled", "true")
    focus_with_tab(console, "dialog input[inputmode=numeric]")
    page.keyboard.type("2")
    press(console, "Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert api.get(f"/api/links/{links[4]['id']}").status == 200
    press(console, "Backspace")
    page.keyboard.type("1")
    press(console, "Enter")
    expect(page.locator("dialog")).to_have_count(0)
    expect(console.rows).to_have_count(4)

    # Its page, by the link of the message, and the receipt from there.
    focus_with_tab(console, ".toast a")
    press(console, "Enter")
    expect(page.locator(".badge.erased")).to_have_text("Erased")
    focus_with_tab(console, "a[href$='/receipt']")
    press(console, "Enter")
    expect(page.locator(".receipt h1")).to_have_text("Receipt of an erasure")
    expect(page.locator(".ids li")).to_contain_text(links[4]["id"])
    trail = api.get("/api/deletions").json["deletions"]
    assert [(each["mode"], each["reason"]) for each in trail] == [
        ("erase", None),
        ("soft", "the tour is over"),
    ]


def test_shortcuts_are_the_same_keys_in_an_arabic_layout(open_console: Opener, api: Client) -> None:
    create_links(api, 3)
    console = open_console(language="ar")
    page = console.page
    keyboard = page.context.new_cdp_session(page)

    def press_physically(key: str, code: str, modifiers: int = 0) -> None:
        event = {"key": key, "code": code, "modifiers": modifiers}
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown"} | event)
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp"} | event)

    control, shift = 2, 8
    console.open()
    expect(console.rows).to_have_count(3)
    focus_with_tab(console, ".links-grid")
    press_physically("ء", "KeyX")
    expect(console.selected).to_have_count(1)
    press_physically("ش", "KeyA", control)
    expect(console.selected).to_have_count(3)
    press(console, "Delete")
    expect(page.locator(".figures dd").first).to_have_text("3")
    focus_with_tab(console, "dialog input[type=text]")
    press(console, "Enter")
    expect(console.rows).to_have_count(0)
    press_physically("ئ", "KeyZ", control)
    expect(console.rows).to_have_count(3)
    press_physically("ظ", "Slash")
    expect(page.locator("#filter-title")).to_be_focused()
    press(console, "Escape")
    press_physically("؟", "Slash", shift)
    expect(page.locator("dialog.box dl")).to_be_visible()
