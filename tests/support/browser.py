"""The browser of the console's tests: an installed Chromium or Chrome, else one that can be had.

`python -m tests.support.browser` installs one where that is possible; `make console-tests` calls
it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: The first has no windows: the tests of the console take a third less CPU with it.
NAMES = (
    "chromium-headless-shell",
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
)
MAC_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

#: Chromium's sandbox cannot run as root. Pages of one window share a process, whose start takes a
#: quarter of the CPU of opening the console. A page is painted as one tile: some 20 small ones take
#: a tenth of that CPU. The rest keeps the browser from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--renderer-process-limit=1",
    "--default-tile-width=1280",
    "--default-tile-height=800",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MISSING = (
    "The console's tests need Chromium or Chrome, and none was found. Install one (Debian: "
    "apt-get install chromium-headless-shell), or name it: "
    "CHROMIUM=/path/to/chromium make console-tests"
)

#: Minutes are enough for a package of 100 MB on a slow connection.
_INSTALL_SECONDS = 600


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, or None. `CHROMIUM` names another one."""
    if given := os.environ.get("CHROMIUM"):
        return given
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for path in MAC_PATHS:
        if Path(path).exists():
            return path
    return _downloaded()


def _downloaded() -> str | None:
    """The one that Playwright has downloaded, if it has."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def required() -> bool:
    """Whether a run without a browser fails. Elsewhere the tests are skipped, and say so."""
    return os.environ.get("CI", "") not in ("", "0", "false")


def main() -> int:
    """Install a browser if there is none; the exit code of the process."""
    if find_browser() is not None:
        return 0
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        ways += [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-qq", "--no-install-recommends", "chromium-headless-shell"],
            ["apt-get", "install", "-qq", "--no-install-recommends", "chromium"],
        ]
    for way in ways:
        print(f"No browser: {' '.join(way[-3:])} ...", flush=True)
        try:
            subprocess.run(way, check=False, timeout=_INSTALL_SECONDS, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if find_browser() is not None:
            return 0
    print(MISSING, file=sys.stderr)
    return 1 if required() else 0


if __name__ == "__main__":
    sys.exit(main())
