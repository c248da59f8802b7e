"""Every view in both languages and both themes: axe-core finds nothing, nothing overflows."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Console, Opener, accessibility_faults, create_links
from tests.support.http_client import Client

Theme = Literal["light", "dark"]


def check(console: Console, name: str, first: Theme) -> None:
    """No violation, and no content wider than the page at any width, in either theme.

    All rules run in the theme `first`, in which the page is, and those of colours in both.
    """
    page = console.page
    faults = []
    inks = set()
    themes: list[Theme] = ["light", "dark"] if first == "light" else ["dark", "light"]
    # A new size takes more CPU than a new theme.
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            if width == 1280:
                inks.add(page.evaluate("getComputedStyle(document.body).color"))
                found = accessibility_faults(page, colours_only=theme != first)
                faults += [f"{theme} {name}: {fault}" for fault in found]
            console.screenshot(f"{theme}-{name}-{width}")
            excess = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if excess > 0:
                faults.append(f"{theme} {name}: {excess} px too wide at {width} px")
        themes.reverse()
    page.set_viewport_size({"width": 1280, "height": 800})
    assert faults == []
    assert len(inks) == 2


# Each language opens in another theme; every view is checked in both.
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ar", "dark")])
def test_every_view_is_accessible(
    open_console: Opener, api: Client, language: str, theme: Theme
) -> None:
    links = create_links(api, 30, tags=["spring", "عروض"])
    created = api.post("/api/deletions", {"ids": [links[0]["id"]], "reason": "Over"})
    deletion_id = created.json["id"]
    console = open_console(language=language, theme=theme)
    page = console.page

    def checked(name: str) -> None:
        check(console, f"{language}-{name}", theme)

    page.goto(console.address)
    expect(page.locator("input[type=password]")).to_be_visible()
    checked("sign-in")
    console.sign_in()
    expect(console.rows.first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
    page.locator(".filter-line button").click()
    console.rows.nth(1).click(position={"x": 20, "y": 20})
    checked("links")
    page.keyboard.press("Delete")
    expect(page.locator(".figures dd").first).to_have_text("1")
    checked("delete")
    page.locator(".mode.erase input").check()
    page.locator(".same-request summary").click()
    expect(page.locator(".figures dd").first).to_have_text("1")
    checked("erase")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog.box")).to_be_visible()
    checked("help")
    page.keyboard.press("Escape")
    for view, shown in (
        ("trash", ".grid-body .row"),
        ("keys", "tbody tr"),
        ("usage", ".facts"),
        ("new", "textarea"),
        (f"links/{links[1]['id']}", ".qr img"),
        ("deletions", "tbody tr"),
        (f"deletions/{deletion_id}", ".grid-body .row"),
        (f"deletions/{deletion_id}/receipt", ".ids li"),
        ("links?title=nothing-matches", ".empty"),
    ):
        console.go(view)
        expect(page.locator(shown).first).to_be_visible()
        name = view.partition("?")[0].replace(deletion_id, "one").replace(links[1]["id"], "one")
        checked(name.replace("/", "-"))


@pytest.mark.parametrize("language", ["en", "ar"])
def test_targets_are_large_enough_to_touch(
    open_console: Opener, api: Client, language: str
) -> None:
    [link, *_] = create_links(api, 3)
    api.post("/api/deletions", {"ids": [link["id"]]})
    console = open_console(language=language, width=360, touch=True)
    page = console.page
    console.open()
    console.rows.first.tap(position={"x": 100, "y": 45})
    expect(console.selected).to_have_count(1)
    for view in ("links", "trash", "deletions", "keys", "new"):
        console.go(view)
        expect(page.locator(".view h1")).to_be_attached()
        if view in ("links", "trash"):
            expect(console.rows.first).to_be_visible()
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .nav, select, input")]
              .filter((each) => each.checkVisibility() && each.type !== "checkbox")
              .map((each) => [each, each.getBoundingClientRect()])
              .filter(([each, { width, height }]) =>
                height < 44 || (width < 44 && !each.matches(".nav")))
              .map(([each, { width, height }]) =>
                `${each.outerHTML.slice(0, 80)}: ${width} x ${height}`)"""
        )
        assert small == [], view
        # The ways to other views fit on the smallest screen, where a short one may be narrower.
        assert (
            page.evaluate(
                "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)"
                "(document.querySelector('.bar nav'))"
            )
            == 0
        )
