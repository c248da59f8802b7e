"""`python -m tests.support.screenshots`: take the README's pictures of the console.

`make run` must be running: its demo is what they show.
"""

from __future__ import annotations

import io
import sys

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from local.emulator import LOCAL_DIR, ROOT
from tests.support.browser import ARGUMENTS, MISSING, find_browser

PICTURES = ROOT / "docs" / "pictures"
ENV_FILE = LOCAL_DIR / "demo.env"

#: A palette is enough for a page of few colours, and a third of the bytes.
COLOURS = 128


def main() -> int:
    """The exit code of the process."""
    if not ENV_FILE.exists():
        print("Start the stack first: make run", file=sys.stderr)
        return 1
    lines = ENV_FILE.read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    path = find_browser()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1280, "height": 720},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
                locale="en",
            )
            page = context.new_page()
            page.goto(f"{settings['BASE_URL']}/console#/links?minClicks=100")
            page.locator("input[type=password]").fill(settings["ADMIN_KEY"])
            page.keyboard.press("Enter")
            rows = page.locator(".grid-body .row")
            rows.nth(1).click(position={"x": 20, "y": 20})
            rows.nth(3).click(position={"x": 20, "y": 20}, modifiers=["Shift"])
            page.keyboard.press("Delete")
            expect(page.locator(".figures dd").first).to_have_text("3")
            image = Image.open(io.BytesIO(page.screenshot()))
            name = PICTURES / f"console-{theme}.png"
            image.convert("RGB").quantize(COLOURS).save(name, optimize=True)
            print(name.relative_to(ROOT))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
