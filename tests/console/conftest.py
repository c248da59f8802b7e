"""The console in a real browser, on the stack of the end-to-end tests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from local.demo_data import User, Workspace
from local.emulator import ROOT
from local.stack import LocalStack
from tests.support.browser import ARGUMENTS, MISSING, find_browser, required
from tests.support.http_client import Client

#: Where ``SCREENSHOTS=1 make console-tests`` keeps pictures of the run, for a reader.
SCREENSHOTS = ROOT / ".local" / "screenshots"
KEEP_SCREENSHOTS = os.environ.get("SCREENSHOTS", "") not in ("", "0")

#: How long the browser waits for what a test expects, in milliseconds: a busy machine is slow.
TIMEOUT_MS = 30_000

#: Records what the page's policy refuses: the console must not try such things.
_LISTENER = """
window.refused = [];
addEventListener("securitypolicyviolation", (event) =>
  window.refused.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of this directory."""
    item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def stack_name() -> str:
    """Another one than that of the end-to-end tests, which may run at the same time."""
    return "console"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    path = find_browser()
    if path is None:
        if required():
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@dataclass
class Console:
    """A page of the console, and the phrases of its tests."""

    page: Page
    address: str
    key: str

    def open(self, view: str = "links") -> None:
        """Load the page at a view and sign in."""
        self.page.goto(f"{self.address}#/{view}")
        self.sign_in()

    def sign_in(self) -> None:
        self.page.locator("input[type=password]").fill(self.key)
        self.page.keyboard.press("Enter")

    def go(self, view: str) -> None:
        """Go to a view without loading the page."""
        self.page.evaluate("view => { location.hash = `#/${view}`; }", view)

    @property
    def rows(self) -> Any:
        return self.page.locator(".grid-body .row")

    @property
    def selected(self) -> Any:
        return self.page.locator(".grid-body .row[aria-selected=true]")

    def select(self, *indexes: int) -> None:
        """Click rows outside their controls."""
        for index in indexes:
            self.rows.nth(index).click(position={"x": 20, "y": 20})

    @property
    def toast(self) -> Any:
        return self.page.locator(".toast").last

    def screenshot(self, name: str) -> None:
        """A picture of the page, if the run keeps them: 0.06 s of CPU each."""
        if KEEP_SCREENSHOTS:
            self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


class Windows:
    """Browser windows that tests share: they use a window one after the other.

    A test gets a window without cookies or storage, and its own pages. Only the process of the
    pages stays, with what it has compiled: it takes half of the CPU of opening the console.
    """

    def __init__(self, browser: Browser, stack: LocalStack) -> None:
        self._browser = browser
        self._origins = (stack.base_url, stack.emulator.url)
        self._kept: dict[str, tuple[BrowserContext, Page]] = {}

    def new(self, **options: Any) -> BrowserContext:
        """A window that no other test uses."""
        window = self._browser.new_context(**options)
        window.add_init_script(_LISTENER)
        return window

    def shared(self, **options: Any) -> BrowserContext:
        """The window with these options; give it back with `clear`."""
        name = repr(sorted(options.items()))
        if name not in self._kept:
            window = self.new(**options)
            # A page of the same site keeps the process.
            keeper = window.new_page()
            keeper.goto(f"{self._origins[0]}/console/icon.svg")
            self._kept[name] = (window, keeper)
        return self._kept[name][0]

    def clear(self, window: BrowserContext) -> None:
        """Close the test's pages and remove what they have stored; close a window of its own."""
        keeper = next((page for kept, page in self._kept.values() if kept is window), None)
        if keeper is None:
            window.close()
            return
        for page in window.pages:
            if page is not keeper:
                page.close()
        window.set_offline(False)
        session = window.new_cdp_session(keeper)
        for origin in self._origins:
            session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        session.detach()
        window.clear_cookies()


@pytest.fixture(scope="session")
def windows(browser: Browser, stack: LocalStack) -> Windows:
    return Windows(browser, stack)


Opener = Callable[..., Console]


@pytest.fixture
def open_console(
    windows: Windows, stack: LocalStack, workspace: Workspace, contract: Any
) -> Iterator[Opener]:
    """Opens the console; what its policy refused or a script threw fails the test."""
    contract.breaches.clear()
    used: list[BrowserContext] = []
    faults: list[str] = []

    def opened(
        *,
        key: str | None = None,
        language: str = "en",
        theme: str = "light",
        width: int = 1280,
        touch: bool = False,
        same_window_as: Console | None = None,
        own_window: bool = False,
    ) -> Console:
        """`same_window_as` opens another tab of the same browser window.

        A test that changes the clock of its window needs its `own_window`.
        """
        if same_window_as is not None:
            window = same_window_as.page.context
        else:
            window = (windows.new if own_window else windows.shared)(
                viewport={"width": width, "height": 800},
                locale=language,
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
                has_touch=touch,
            )
            used.append(window)
        page = window.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        return Console(page, f"{stack.base_url}/console", key or workspace.admin_key)

    yield opened
    for window in used:
        for page in window.pages:
            faults += page.evaluate("window.refused ?? []")
            # A page still polls its deletions; it needs no response any more.
            page.unroute_all(behavior="ignoreErrors")
        windows.clear(window)
    assert faults == []
    assert not contract.breaches, "\n".join(contract.breaches[:10])


@pytest.fixture
def api(base_url: str, workspace: Workspace) -> Client:
    """The workspace's API, without the browser."""
    return Client(base_url, workspace.admin_key)


def sign_in_as(console: Console, user: User) -> None:
    """From the console's page to the pool's and back."""
    console.page.locator("form button.primary[type=button]").click()
    console.page.locator("#username").fill(user.email)
    console.page.locator("#password").fill(user.password)
    console.page.get_by_role("button", name="Sign in").click()


def create_links(api: Client, count: int, **fields: Any) -> list[dict[str, Any]]:
    """Links with the titles "Link 0", "Link 1", … as the API answers them."""
    bodies = [
        {"originalUrl": "https://example.com/", "title": f"Link {number}"} | fields
        for number in range(count)
    ]
    response = api.post("/api/links", bodies)
    assert response.status == 201, response.body
    created: list[dict[str, Any]] = response.json
    return created


def respond(route: Route, status: int, body: dict[str, Any]) -> None:
    """Answer a request of the page as the API would."""
    route.fulfill(status=status, content_type="application/json", body=json.dumps(body))


def accessibility_faults(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe-core finds on the page, one line for each element.

    `colours_only` is for a view that all rules have checked in another theme: a theme changes
    colours only, and half of axe's time is for rules that do not look at them.
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        source = ROOT / "node_modules" / "axe-core" / "axe.min.js"
        page.evaluate(source.read_text(encoding="utf-8"))
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours_only:
        # Without the rule of level AAA, which is off by default.
        rules = {"color-contrast-enhanced": {"enabled": False}}
        options |= {"runOnly": ["cat.color"], "rules": rules}
    found: list[str] = page.evaluate(
        """async (options) => {
          const { violations } = await axe.run(document, options);
          return violations.flatMap(({ id, nodes }) =>
            nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`));
        }""",
        options,
    )
    return found
