"""The API reference, which is Swagger UI with a few changed colours and names."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Console, Opener, accessibility_faults


@pytest.fixture
def reference(open_console: Opener, base_url: str) -> Console:
    opened = open_console()
    opened.page.goto(f"{base_url}/api/docs")
    expect(opened.page.locator("#operations-Links-listLinks")).to_be_visible()
    return opened


def test_the_reference_is_accessible_closed_and_open(reference: Console) -> None:
    page = reference.page
    # The names are there a moment after what they name.
    expect(page.locator("button a[href]")).to_have_count(0)
    assert accessibility_faults(page) == []

    # A read with choices, a write with a body and examples, a webhook.
    for operation in ("Links-listLinks", "Deleting-deleteLinks", "webhooks-onDeletionCompleted"):
        page.locator(f"#operations-{operation} .opblock-summary-control").click()
    expect(page.locator(".opblock-body .responses-table").nth(1)).to_be_visible()
    expect(page.locator("select:not([aria-label])")).to_have_count(0)
    expect(page.locator("pre:not([tabindex])")).to_have_count(0)
    # References are resolved, and a schema has its name.
    body = page.locator("#operations-Links-listLinks .responses-table")
    body.get_by_role("tab", name="Schema").first.click()
    expect(body.locator(".json-schema-2020-12__title").first).to_have_text("LinkPage")
    expect(body).to_contain_text("nextCursor")
    reference.screenshot("api-reference")
    assert accessibility_faults(page) == []
    assert page.evaluate("location.hash").startswith("#/")
