"""10,000 links: the table against one that renders every row, measured in the same page."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Route, expect

from tests.console.conftest import Opener

COUNT = 10_000

#: Renders the same rows the naive way: all of them, each with its own checkbox and listener.
NAIVE = """
() => {
  const links = window.listed;
  const began = performance.now();
  const table = document.createElement("table");
  const body = table.appendChild(document.createElement("tbody"));
  for (const link of links) {
    // `insertRow` would count the rows each time.
    const row = body.appendChild(document.createElement("tr"));
    const box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => row.classList.toggle("selected", box.checked));
    row.insertCell().append(box);
    for (const text of [link.title, link.shortUrl, link.originalUrl, link.tags[0],
                        link.clickCount, new Date(link.createdAt).toLocaleDateString("en")]) {
      row.insertCell().append(String(text));
    }
  }
  document.body.append(table);
  table.getBoundingClientRect();
  const rendered = performance.now() - began;
  const again = performance.now();
  for (const box of table.querySelectorAll("input")) {
    box.checked = true;
    box.dispatchEvent(new Event("change"));
  }
  table.getBoundingClientRect();
  const selected = performance.now() - again;
  table.remove();
  return { rendered, selected };
}
"""

#: Milliseconds from an action until the page is laid out again.
MEASURE = """
async ([selector, done]) => {
  const began = performance.now();
  document.querySelector(selector).click();
  while (!document.querySelector(done)) await new Promise((go) => setTimeout(go));
  document.querySelector(".grid").getBoundingClientRect();
  return performance.now() - began;
}
"""


def a_link(number: int) -> dict[str, Any]:
    code = f"code{number}"
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "shortCode": code,
        "shortUrl": f"https://s.example/{code}",
        "originalUrl": f"https://example.com/page/{number}",
        "title": f"Link {number}",
        "description": None,
        "tags": ["tour"],
        "isActive": True,
        "clickCount": number,
        "expiresAt": None,
        "createdAt": "2026-11-26T10:00:00.000Z",
        "updatedAt": "2026-11-26T10:00:00.000Z",
    }


def test_ten_thousand_rows_cost_what_a_screen_of_them_costs(
    open_console: Opener, report_figure: Any
) -> None:
    links = [a_link(number) for number in range(COUNT)]
    console = open_console()
    page = console.page
    page.route(
        "**/api/links?*",
        lambda route: answer_all(route, links),
    )
    console.open("deletions")
    expect(page.locator("main h1")).to_be_attached()

    # The list is empty at first, so this is the rendering of all rows that arrive at once.
    page.evaluate(
        """() => {
          new MutationObserver((_, observer) => {
            if (!document.querySelector(".grid-body .row")) return;
            document.querySelector(".grid").getBoundingClientRect();
            window.painted = performance.now();
            observer.disconnect();
          }).observe(document.body, { childList: true, subtree: true });
          const json = Response.prototype.json;
          Response.prototype.json = async function () {
            const body = await json.call(this);
            if (body.links) {
              window.arrived = performance.now();
              window.listed = body.links;
            }
            return body;
          };
        }"""
    )
    console.go("links")
    expect(page.locator(".toolbar p")).to_have_text("10,000 links")
    painted = page.evaluate("window.painted - window.arrived")
    selected = page.evaluate(MEASURE, [".check-button", ".row.selected"])
    expect(page.locator(".toolbar p")).to_have_text("10,000 selected")
    naive = page.evaluate(NAIVE)

    rendered_rows = console.rows.count()
    report_figure(
        f"console, 10,000 links: painted {naive['rendered'] / painted:.0f} and selected "
        f"{naive['selected'] / selected:.0f} times as fast as a table of all rows"
    )
    assert rendered_rows <= 60
    assert painted * 5 < naive["rendered"]
    assert selected < naive["selected"]

    page.locator(".grid").press("End")
    expect(page.locator(".grid-body .row.active .title")).to_have_text("Link 9999")
    assert console.rows.count() <= 60
    page.locator(".grid").press("Home")
    expect(page.locator(".grid-body .row.active .title")).to_have_text("Link 0")


def answer_all(route: Route, links: list[dict[str, Any]]) -> None:
    body = json.dumps({"links": links, "nextCursor": None})
    route.fulfill(status=200, content_type="application/json", body=body)
