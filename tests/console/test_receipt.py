"""The signature of a receipt: its states, its file, and how to verify it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.console.conftest import Console, Opener, accessibility_faults, create_links
from tests.e2e.client import Client

JWS = "eyJhbGciOiJFUzI1NiJ9.eyJ2ZXJzaW9uIjoxfQ.c2lnbmF0dXJl"


def open_receipt(
    console: Console, api: Client, answers: list[dict[str, Any]], *, state: str = "complete"
) -> str:
    """The receipt of an erasure in a state, with the answers of its route; the last one stays."""
    [link] = create_links(api, 1)
    deletion_id: str = api.post("/api/deletions", {"ids": [link["id"]], "mode": "erase"}).json["id"]

    def deletion(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"state": state})

    def receipt(route: Route) -> None:
        route.fulfill(**(answers.pop(0) if len(answers) > 1 else answers[0]))

    console.page.route(f"**/api/deletions/{deletion_id}?*", deletion)
    console.page.route(f"**/api/receipts/{deletion_id}", receipt)
    console.open(f"deletions/{deletion_id}/receipt")
    return deletion_id


SIGNED = {"status": 200, "content_type": "application/jose", "body": JWS}


def test_a_receipt_that_is_signed_meanwhile_can_be_saved_and_verified(
    open_console: Opener, api: Client, base_url: str, tmp_path: Path
) -> None:
    console = open_console()
    pending = {"status": 409, "json": {"error": {"en": "Not yet"}, "retryAfter": 1}}
    deletion_id = open_receipt(console, api, [pending, SIGNED])
    page = console.page
    signature = page.locator(".signature")

    expect(signature).to_contain_text("Signed. Anyone with this file and the public keys")
    expect(signature.locator("pre")).to_have_text(f"unlinkctl verify receipt-{deletion_id}.jws")
    keys = signature.locator("a")
    expect(keys).to_have_attribute("href", f"{base_url}/.well-known/jwks.json")
    assert "keys" in api.get("/.well-known/jwks.json").json
    with page.expect_download() as saved:
        signature.locator("button").click()
    assert saved.value.suggested_filename == f"receipt-{deletion_id}.jws"
    saved.value.save_as(tmp_path / "receipt.jws")
    assert (tmp_path / "receipt.jws").read_text() == JWS

    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert accessibility_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        console.screenshot(f"receipt-signed-{width}")
    page.emulate_media(media="print")
    expect(signature.locator("button")).to_be_hidden()
    expect(keys).to_be_visible()
    console.screenshot("receipt-signed-print")


@pytest.mark.parametrize(
    ("language", "answer", "text"),
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
def test_a_receipt_says_whether_it_is_signed(
    open_console: Opener, api: Client, language: str, answer: dict[str, Any], text: str
) -> None:
    console = open_console(language=language)
    open_receipt(console, api, [answer])

    expect(console.page.locator(".signature [role=status]")).to_contain_text(text)
    expect(console.page.locator(".ids li")).to_have_count(1)
    expect(console.page.locator(".signature button")).to_have_count(1 if answer is SIGNED else 0)
    console.screenshot(f"receipt-{language}-{answer['status']}")


def test_an_open_erasure_has_no_signature_yet(open_console: Opener, api: Client) -> None:
    console = open_console()
    open_receipt(console, api, [SIGNED], state="erasing")

    expect(console.page.locator(".receipt article")).to_contain_text("is not complete yet")
    expect(console.page.locator(".signature")).to_have_count(0)
