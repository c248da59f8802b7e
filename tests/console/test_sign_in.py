"""Signing in at the user pool's own page: authorization code with PKCE, refresh, revocation."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from local.demo_data import User, Workspace
from local.stack import LocalStack
from tests.console.conftest import Console, Opener, create_links, respond, sign_in_as
from tests.support.http_client import Client


@pytest.fixture
def user(stack: LocalStack, workspace: Workspace) -> User:
    """A member of the workspace, as an editor."""
    made = stack.access.add_user(f"{secrets.token_hex(6)}@example.com")
    stack.access.add_member(workspace.workspace_id, made, role="editor")
    return made


@pytest.fixture
def signed_in(open_console: Opener, api: Client, user: User) -> Console:
    """The console of a signed-in editor, with two links."""
    create_links(api, 2)
    console = open_console()
    console.page.goto(console.address)
    sign_in_as(console, user)
    expect(console.rows).to_have_count(2)
    return console


def refresh(stack: LocalStack, token: str) -> int:
    """The status of asking the pool for a new access token."""
    body = urllib.parse.urlencode(
        {
            "grant_type": "refresh_token",
            "client_id": stack.outputs["ConsoleClientId"],
            "refresh_token": token,
        }
    )
    address = f"{stack.emulator.url}/oauth2/token"
    try:
        with urllib.request.urlopen(address, data=body.encode(), timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def stored(console: Console) -> dict[str, Any]:
    found: dict[str, Any] = console.page.evaluate(
        "() => ({ session: { ...sessionStorage }, local: { ...localStorage } })"
    )
    return found


def test_a_user_signs_in_reloads_and_signs_out(
    open_console: Opener, api: Client, stack: LocalStack, user: User
) -> None:
    create_links(api, 2)
    console = open_console()
    page = console.page
    page.goto(f"{console.address}#/links?title=Link+1")
    sign_in_as(console, user)
    # Back where it began, and nothing of the way is left in the address.
    expect(console.rows).to_have_count(1)
    assert page.url == f"{console.address}#/links?title=Link+1"
    kept = stored(console)
    assert list(kept["session"]) == ["unlink.refresh"]
    assert kept["local"] == {}

    page.reload()
    expect(console.rows).to_have_count(1)
    page.get_by_role("link", name="Plan").click()
    expect(page.locator(".facts").first).to_contain_text("editor")

    token = stored(console)["session"]["unlink.refresh"]
    assert refresh(stack, token) == 200
    # The pool's sign-out leads back to the page, which loads again.
    with page.expect_event("load"), page.expect_response("**/oauth2/revoke") as revoked:
        page.get_by_role("button", name="Sign out").click()
    assert revoked.value.status == 200
    expect(page.locator("input[type=password]")).to_be_visible()
    assert page.url == console.address
    assert refresh(stack, token) == 400
    assert stored(console)["session"] == {}


def test_an_access_token_that_ends_is_renewed_unseen(signed_in: Console) -> None:
    page = signed_in.page
    refused: list[str] = []

    def ended(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.headers["authorization"])
        route.fulfill(status=401, content_type="application/json", body=json.dumps({}))

    page.route("**/api/trash?*", ended)
    with page.expect_response("**/oauth2/token"):
        signed_in.go("trash")
    expect(page.locator(".empty h2")).to_have_text("The trash is empty")
    expect(page.locator("dialog")).to_have_count(0)
    assert len(refused) == 1


def test_a_renewed_token_that_is_refused_too_is_not_renewed_again(signed_in: Console) -> None:
    page = signed_in.page
    refused: list[str] = []

    # As after the user's membership was taken away: the session is good, and of no use.
    def refuse(route: Route) -> None:
        refused.append(route.request.headers["authorization"])
        respond(route, 401, {})

    page.route("**/api/trash?*", refuse)
    signed_in.go("trash")
    expect(page.locator("dialog.box h2")).to_have_text("Sign in again")
    assert len(refused) == 2


def test_after_a_session_ends_the_console_asks_to_sign_in_and_keeps_the_selection(
    open_console: Opener, api: Client, user: User
) -> None:
    create_links(api, 4)
    console = open_console()
    page = console.page
    page.goto(console.address)
    sign_in_as(console, user)
    expect(console.rows).to_have_count(4)
    console.rows.nth(0).click(position={"x": 20, "y": 20})
    console.rows.nth(2).click(position={"x": 20, "y": 20})
    page.evaluate("sessionStorage.setItem('unlink.refresh', 'revoked')")
    page.route(
        "**/api/deletions",
        lambda route: route.fulfill(status=401, content_type="application/json", body="{}"),
        times=1,
    )
    page.keyboard.press("Delete")
    expect(page.locator("dialog.box h2")).to_have_text("Sign in again")
    # By the pool's page, which this page has to be left for.
    sign_in_as(console, user)
    expect(console.selected).to_have_count(2)


def test_signing_out_ends_what_still_waits(
    open_console: Opener, api: Client, stack: LocalStack
) -> None:
    create_links(api, 2)
    other = stack.new_workspace()
    console = open_console()
    page = console.page
    console.open()
    console.select(0)
    console.go("new")
    page.get_by_label("Destination").fill("https://example.com/of-the-first")
    page.route("**/api/links", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(".banner")).to_be_visible()

    with page.expect_event("load"):
        page.get_by_role("button", name="Sign out").click()
    console.key = other.admin_key
    with page.expect_response("**/api/links?*"):
        console.sign_in()
        console.go("links")
    expect(page.locator(".toolbar p")).to_have_text("0 links")
    # By now the write would have been repeated.
    page.wait_for_timeout(1_000)
    assert Client(api.base_url, other.admin_key).get("/api/links").json["links"] == []


def test_work_does_not_continue_in_another_workspace(
    open_console: Opener, api: Client, stack: LocalStack
) -> None:
    other = stack.new_workspace()
    console = open_console()
    page = console.page
    console.open("new")
    page.get_by_label("Destination").fill("https://example.com/of-the-first")
    page.route("**/api/links", lambda route: respond(route, 401, {}), times=1)
    page.get_by_role("button", name="Create link").click()
    key, console.key = console.key, other.admin_key
    expect(page.locator("dialog.box")).to_be_visible()
    console.sign_in()
    expect(page.locator("dialog").get_by_role("alert")).to_contain_text(
        "the key of another workspace"
    )
    console.key = key
    console.sign_in()
    expect(page.locator(".qr img")).to_be_visible()
    assert Client(api.base_url, other.admin_key).get("/api/links").json["links"] == []
    assert len(api.get("/api/links").json["links"]) == 1


def test_an_unrequested_authorization_code_is_refused(open_console: Opener) -> None:
    console = open_console()
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    console.page.goto(f"{console.address}?code=stolen&state=other")
    expect(console.page.locator("input[type=password]")).to_be_visible()
    assert not [url for url in asked if "/oauth2/" in url]
    assert "code=" not in console.page.url
