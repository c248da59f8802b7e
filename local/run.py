"""`python -m local.run`: the whole service on this machine, in the foreground until Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from local.commands import FOR_ADMINISTRATORS, command
from local.demo_data import SeedError, Shown, Workspace, seed_demo, show
from local.demo_history import seed_history
from local.emulator import LOCAL_DIR, EmulatorError
from local.stack import LocalStack, StackError, bind, running

ENV_FILE = LOCAL_DIR / "demo.env"
DEFAULT_PORT = 8000

DEMO_USER = "demo@example.com"
SESSION_SECONDS = 45 * 60
"""How often the demo user signs in again: a session lasts an hour."""


def main() -> int:
    """Run until a signal arrives; returns the exit code of the process."""
    began = time.monotonic()
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # During start-up an exception ends the current step; afterwards the event ends the process.
        if stop.is_set():
            return
        stop.set()
        raise KeyboardInterrupt

    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, on_signal)
    try:
        bridge = bind(_port(os.environ.get("PORT", "")))
        # Of an earlier run that was killed: the file means that the API is running.
        ENV_FILE.unlink(missing_ok=True)
        with running(bridge, name=f"run-{bridge.port}", say=_say) as stack:
            demo, other, free, shown = _seed(stack)
            user = stack.access.add_user(DEMO_USER)
            stack.access.add_member(demo.workspace_id, user)
            session = stack.access.sign_in(user)
            settings = _write_env(stack, demo, other, free, session)
            try:
                _say(_guide(stack, demo, other, free, shown))
                _say(
                    f"Console: {stack.base_url}/console\n"
                    f"  sign in as {user.email} with {user.password}\n"
                    "  or with ADMIN_KEY (everything) or READ_KEY (to look)\n"
                )
                _say(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C stops it.\n")
                bridge.log = _say
                while not stop.wait(SESSION_SECONDS):
                    session = stack.access.sign_in(user)
                    settings = _write_env(stack, demo, other, free, session)
            finally:
                _remove_env(settings)
    except KeyboardInterrupt:
        _say("Stopped.")
    except (EmulatorError, SeedError, StackError) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


def _say(line: str) -> None:
    # One write, because the proxy's threads print too.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise StackError(f"PORT={text} is not a port: give a number from 1 to 65535.")
    return int(text)


def _seed(stack: LocalStack) -> tuple[Workspace, Workspace, Workspace, Shown]:
    began = time.monotonic()
    _say("Seeding three workspaces with links, clicks and deletions ...")
    demo = stack.access.add_workspace("demo", plan="enterprise")
    other = stack.access.add_workspace("other", plan="enterprise")
    free = stack.access.add_workspace("free", plan="free")
    # First, so that the links of the guide are the newest ones.
    seed_history(
        stack.base_url,
        demo,
        stack.client("dynamodb"),
        {name: stack.outputs[f"{name.capitalize()}TableName"] for name in ("links", "clicks")},
    )
    shown = show(stack.base_url, demo, seed_demo(stack.base_url, demo.api_key))
    _say(f"  done in {time.monotonic() - began:.1f} s")
    return demo, other, free, shown


def _write_env(
    stack: LocalStack, demo: Workspace, other: Workspace, free: Workspace, session: str
) -> str:
    """Write the settings of this run to `ENV_FILE` and return them."""
    values = {
        "BASE_URL": stack.base_url,
        "API_KEY": demo.api_key,
        "READ_KEY": demo.read_key,
        "ADMIN_KEY": demo.admin_key,
        "OTHER_KEY": other.api_key,
        "FREE_KEY": free.api_key,
        "SESSION_TOKEN": session,
        "AWS_ENDPOINT_URL": stack.emulator.url,
        # What `unlinkctl` reads.
        "UNLINK_URL": stack.base_url,
        "UNLINK_API_KEY": demo.api_key,
    }
    settings = "".join(f"{name}={value}\n" for name, value in values.items())
    _write_private(ENV_FILE, settings)
    return settings


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read. It appears complete, because other processes wait
    for it.
    """
    draft = Path(f"{path}.new")
    draft.unlink(missing_ok=True)
    # With the mode from the start: a later chmod would leave a moment in which others can read.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _remove_env(settings: str) -> None:
    """Remove `ENV_FILE`, unless a run on another port has replaced it."""
    if ENV_FILE.exists() and ENV_FILE.read_text() == settings:
        ENV_FILE.unlink()


# -- the guide ----------------------------------------------------------------------------

# Examples by route: (path with values filled in, body). Each uses its own links, so that they can
# be pasted one after the other.
Example = Callable[[Shown], tuple[str, Any]]

EXAMPLES: dict[tuple[str, str], Example] = {
    ("GET", "/{code}"): lambda shown: (f"/{shown.links[0]['shortCode']}", None),
    ("HEAD", "/{code}"): lambda shown: (f"/{shown.links[0]['shortCode']}", None),
    ("GET", "/api/links"): lambda _: ("/api/links?limit=3", None),
    ("POST", "/api/links"): lambda _: (
        "/api/links",
        {"originalUrl": "https://example.com/welcome", "title": "Welcome", "tags": ["try"]},
    ),
    ("GET", "/api/links/{id}"): lambda shown: (f"/api/links/{shown.links[1]['id']}", None),
    ("GET", "/api/links/{id}/qr"): lambda shown: (
        f"/api/links/{shown.links[1]['id']}/qr?format=svg&size=300&color=1a237e",
        None,
    ),
    ("PUT", "/api/links/{id}"): lambda shown: (
        f"/api/links/{shown.links[1]['id']}",
        {"title": "A better title"},
    ),
    ("DELETE", "/api/links"): lambda shown: (
        "/api/links",
        [shown.links[20]["id"], shown.links[21]["id"]],
    ),
    ("DELETE", "/api/links/{id}"): lambda shown: (f"/api/links/{shown.links[23]['id']}", None),
    ("POST", "/api/links/bulk-delete"): lambda shown: (
        "/api/links/bulk-delete",
        {"ids": [shown.links[24]["id"], "00000000-0000-4000-8000-000000000000"]},
    ),
    ("POST", "/api/deletions"): lambda shown: (
        "/api/deletions",
        {"ids": [shown.links[22]["id"]], "reason": "campaign is over", "dryRun": True},
    ),
    ("GET", "/api/deletions"): lambda _: ("/api/deletions?limit=3", None),
    ("GET", "/api/deletions/{id}"): lambda shown: (f"/api/deletions/{shown.deletion_id}", None),
    ("POST", "/api/deletions/{id}/restore"): lambda shown: (
        f"/api/deletions/{shown.deletion_id}/restore",
        {"reason": "deleted by mistake"},
    ),
    ("GET", "/api/analytics/links/{id}"): lambda shown: (
        f"/api/analytics/links/{shown.links[0]['id']}?days=7",
        None,
    ),
    ("POST", "/api/analytics/links/{id}/export"): lambda shown: (
        f"/api/analytics/links/{shown.links[0]['id']}/export",
        {},
    ),
    ("GET", "/api/analytics/links/{id}/export/{exportId}"): lambda shown: (
        f"/api/analytics/links/{shown.links[0]['id']}/export/{shown.export_id}",
        None,
    ),
    ("POST", "/api/installs"): lambda shown: (
        "/api/installs",
        {"linkId": shown.links[0]["id"], "platform": "iOS"},
    ),
    ("GET", "/api/me"): lambda _: ("/api/me", None),
    ("GET", "/api/trash"): lambda _: ("/api/trash?limit=3", None),
    # 409 until it is signed, two or three minutes after the erase.
    ("GET", "/api/receipts/{id}"): lambda shown: (f"/api/receipts/{shown.erasure_id}", None),
    ("GET", "/.well-known/jwks.json"): lambda _: ("/.well-known/jwks.json", None),
    ("GET", "/api/keys"): lambda _: ("/api/keys", None),
    ("POST", "/api/keys"): lambda _: ("/api/keys", {"name": "ci", "scopes": ["linksRead"]}),
    ("DELETE", "/api/keys/{id}"): lambda shown: (f"/api/keys/{shown.key_id}", None),
    ("GET", "/api/openapi.json"): lambda _: ("/api/openapi.json", None),
    ("GET", "/api/docs"): lambda _: ("/api/docs", None),
    ("GET", "/console"): lambda _: ("/console", None),
    ("GET", "/console/{asset}"): lambda _: ("/console/licences.txt", None),
    ("GET", "/api/docs/{asset}"): lambda _: ("/api/docs/start.js", None),
}

_ORDER = ("POST", "GET", "HEAD", "PUT", "DELETE")


def _guide(
    stack: LocalStack, demo: Workspace, other: Workspace, free: Workspace, shown: Shown
) -> str:
    """The guide: URLs, keys, and a command for every deployed route."""
    lines = [
        "",
        f"Base URL    {stack.base_url}",
        f"Emulator    {stack.emulator.url}",
        f"Keys        {ENV_FILE.relative_to(Path.cwd()) if _inside() else ENV_FILE}",
        f"  API_KEY   {demo.api_key}  (reads, writes, erases; workspace demo)",
        f"  READ_KEY  {demo.read_key}  (reads only; workspace demo)",
        f"  ADMIN_KEY {demo.admin_key}  (every scope; workspace demo)",
        f"  OTHER_KEY {other.api_key}  (as API_KEY; workspace other)",
        f"  FREE_KEY  {free.api_key}  (as API_KEY; workspace free, on the free plan)",
        f"  SESSION_TOKEN is in the file: {DEMO_USER}, signed in (every scope; workspace demo)",
        "",
        "Every route, to copy and paste. The lines of unlinkctl need this once in the terminal:",
        'set -a; . .local/demo.env; set +a; PATH="$PWD/.venv/bin:$PATH"',
        "",
    ]
    for method, path in sorted(stack.routes(), key=_by_harm):
        lines += [f"# {method} {path}", curl(stack.base_url, demo, method, path, shown)]
        lines += [*filter(None, [command(demo, method, path, shown)]), ""]
    return "\n".join(lines)


def _inside() -> bool:
    return ENV_FILE.is_relative_to(Path.cwd())


def _by_harm(route: tuple[str, str]) -> tuple[bool, int, str]:
    """Reading first, deleting last."""
    method, path = route
    order = _ORDER.index(method) if method in _ORDER else len(_ORDER)
    return "delete" in path or method == "DELETE", order, path


def curl(base_url: str, workspace: Workspace, method: str, path: str, shown: Shown) -> str:
    """The command for a route; a route without an example shows its path."""
    example = EXAMPLES.get((method, path))
    target, body = example(shown) if example else (path, None)
    for_administrators = (method, path) in FOR_ADMINISTRATORS
    key = workspace.admin_key if for_administrators else workspace.api_key
    words = ["curl", "-i"]
    if method == "HEAD":
        words = ["curl", "-I"]
    elif method != "GET":
        words += ["-X", method]
    words.append(base_url + target)
    if path.startswith("/api/"):
        words += ["-H", f"Authorization: Bearer {key}"]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
