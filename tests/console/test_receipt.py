"""A receipt: what it says, its signature's states, its file, and how to verify it.

The erasure of the signed receipt starts first and is checked last, so that no test waits for it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from local.emulator import ROOT
from local.stack import LocalStack
from tests.console.conftest import Console, Opener, accessibility_faults, create_links
from tests.support import unlinkctl
from tests.support.http_client import Client
from tests.support.warm_command import warm_command

#: What the erasure of the signed receipt has erased: the link's id and the key of its workspace.
_begun: dict[str, tuple[str, str]] = {}


@pytest.mark.at_first
def test_an_erasure_is_begun(open_console: Opener, api: Client, workspace: object) -> None:
    [link] = create_links(api, 1)
    console = open_console()
    console.open()
    console.select(0)
    console.page.keyboard.press("Delete")
    console.page.locator(".mode.erase input").check()
    console.page.locator("dialog input[inputmode=numeric]").fill("1")
    console.page.locator("dialog button[type=submit]").click()
    expect(console.page.locator(".running")).to_contain_text("1 deletion is running")
    _begun["erasure"] = (link["id"], console.key)


@pytest.mark.at_last
def test_the_receipt_of_a_complete_erasure_is_signed_and_can_be_verified(
    open_console: Opener, stack: LocalStack, tmp_path: Path
) -> None:
    link_id, key = _begun["erasure"]
    console = open_console(key=key)
    page = console.page
    console.open("deletions")
    page.locator("tbody a").first.click()
    expect(page.locator(".live")).to_contain_text("Complete", timeout=120_000)
    page.locator("a[href$='/receipt']").click()
    receipt = page.locator(".receipt article")
    expect(receipt).to_contain_text("A last read found nothing left")
    expect(receipt).to_contain_text("Verified empty")
    expect(receipt).to_contain_text(link_id)
    expect(receipt.locator(".facts div", has_text="Link records removed")).to_contain_text("1")

    # The stack signs it within a minute; the page asks again until then.
    signature = page.locator(".signature")
    expect(signature).to_contain_text("Signed. Anyone with this file", timeout=120_000)
    with page.expect_download() as saved:
        signature.locator("button").click()
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    # As the page says, by someone without a key or a profile.
    program, *arguments = shlex.split(signature.locator("pre").inner_text())
    assert program == "unlinkctl"
    imports = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
    with warm_command(unlinkctl.__name__, tmp_path, imports) as words:
        verified = run([*words, *arguments], tmp_path)
        assert verified.returncode == 0, verified.stderr
        ids = tmp_path / "ids.txt"
        ids.write_text(f"{link_id}\n")
        assert run([*words, *arguments, "--ids", f"@{ids}"], tmp_path).returncode == 0
        jws = file.read_text()
        file.write_text(jws[:-10] + ("A" if jws[-10] != "A" else "B") + jws[-9:])
        assert run([*words, *arguments], tmp_path).returncode == 1
    keys = signature.locator("a").get_attribute("href")
    assert keys == f"{stack.base_url}/.well-known/jwks.json"

    # Both languages, both themes, and on paper.
    for language in ("en", "ar"):
        expect(page.locator("html")).to_have_attribute("lang", language)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert accessibility_faults(page, colours_only=theme == "dark") == []
            signature.scroll_into_view_if_needed()
            console.screenshot(f"receipt-of-the-stack-{language}-{theme}")
        page.emulate_media(color_scheme="light", media="print")
        expect(page.locator("header.bar")).to_be_hidden()
        expect(signature.locator("button")).to_be_hidden()
        expect(signature.locator("a")).to_be_visible()
        expect(signature.locator("pre")).to_be_visible()
        expect(receipt).to_contain_text(link_id)
        assert page.pdf().startswith(b"%PDF-")
        console.screenshot(f"receipt-of-the-stack-{language}-print")
        page.emulate_media(media="screen")
        page.get_by_role("button", name="العربية").click() if language == "en" else None


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """A command in a directory, without a profile."""
    return subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"HOME": str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


JWS = "eyJhbGciOiJFUzI1NiJ9.eyJ2ZXJzaW9uIjoxfQ.c2lnbmF0dXJl"


def open_receipt(
    console: Console, api: Client, responses: list[dict[str, Any]], *, state: str = "complete"
) -> str:
    """The receipt of an erasure in a state, with the responses of its route; the last one stays."""
    [link] = create_links(api, 1)
    deletion_id: str = api.post("/api/deletions", {"ids": [link["id"]], "mode": "erase"}).json["id"]

    def deletion(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"state": state})

    def receipt(route: Route) -> None:
        route.fulfill(**(responses.pop(0) if len(responses) > 1 else responses[0]))

    console.page.route(f"**/api/deletions/{deletion_id}?*", deletion)
    console.page.route(f"**/api/receipts/{deletion_id}", receipt)
    console.open(f"deletions/{deletion_id}/receipt")
    return deletion_id


SIGNED = {"status": 200, "content_type": "application/jose", "body": JWS}


def test_a_receipt_signed_during_the_visit_is_shown(
    open_console: Opener, api: Client, base_url: str
) -> None:
    console = open_console()
    pending = {"status": 409, "json": {"error": {"en": "Not yet"}, "retryAfter": 1}}
    deletion_id = open_receipt(console, api, [pending, SIGNED])
    page = console.page
    signature = page.locator(".signature")

    expect(signature).to_contain_text("Signed. Anyone with this file and the public keys")
    command = f"unlinkctl verify receipt-{deletion_id}.jws --url {base_url}"
    expect(signature.locator("pre")).to_have_text(command)

    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert accessibility_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        console.screenshot(f"receipt-signed-{width}")


@pytest.mark.parametrize(
    ("language", "response", "text"),
    [
        (
            "en",
            {"status": 409, "json": {"error": {"en": "Not yet"}, "retryAfter": 60}},
            "Not signed yet. A receipt is signed within a few minutes.",
        ),
        (
            "en",
            {
                "status": 200,
                "content_type": "application/json",
                "body": json.dumps({"signed": False}),
            },
            "This service does not sign receipts.",
        ),
        (
            "en",
            {"status": 404, "json": {"error": {"en": "Unknown"}}},
            "There is no signed receipt of this erasure.",
        ),
        ("en", {"status": 403, "json": {"error": {"en": "Not for you"}}}, "Not for you"),
        ("ar", SIGNED, "موقّع."),
    ],
)
def test_a_receipt_shows_whether_it_is_signed(
    open_console: Opener, api: Client, language: str, response: dict[str, Any], text: str
) -> None:
    console = open_console(language=language)
    open_receipt(console, api, [response])

    expect(console.page.locator(".signature [role=status]")).to_contain_text(text)
    expect(console.page.locator(".ids li")).to_have_count(1)
    expect(console.page.locator(".signature button")).to_have_count(1 if response is SIGNED else 0)
    console.screenshot(f"receipt-{language}-{response['status']}")


def test_an_open_erasure_has_no_signature_yet(open_console: Opener, api: Client) -> None:
    console = open_console()
    open_receipt(console, api, [SIGNED], state="erasing")

    expect(console.page.locator(".receipt article")).to_contain_text("is not complete yet")
    expect(console.page.locator(".signature")).to_have_count(0)


def test_a_receipt_is_printed_in_dark_ink_under_the_dark_theme(
    open_console: Opener, api: Client
) -> None:
    console = open_console()
    page = console.page
    open_receipt(console, api, [SIGNED])
    page.get_by_role("button", name="Dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.emulate_media(media="print")
    expect(page.locator(".receipt h1")).to_have_css("color", "rgb(27, 31, 35)")
