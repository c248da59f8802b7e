"""A line of `unlinkctl` for each route with a command, in addition to the curl line."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from local.demo_data import Shown, Workspace

Words = Callable[[Shown], list[str]]

#: Each deletes its own links, so that all lines can be pasted, those of curl too.
COMMANDS: dict[tuple[str, str], Words] = {
    ("GET", "/api/links"): lambda _: ["list", "--limit", "3"],
    ("POST", "/api/links"): lambda _: [
        *("create", "https://example.com/welcome", "--title", "Welcome", "--tag", "try")
    ],
    ("GET", "/api/links/{id}/qr"): lambda shown: [
        *("qr", shown.links[1]["shortCode"], "-o", "link.svg", "--size", "300")
    ],
    ("POST", "/api/analytics/links/{id}/export"): lambda shown: [
        *("export", shown.links[0]["shortCode"], "-o", "link.ndjson")
    ],
    ("DELETE", "/api/links"): lambda shown: [
        *("delete", shown.links[15]["id"], shown.links[16]["id"], "--yes")
    ],
    ("DELETE", "/api/links/{id}"): lambda shown: [
        *("delete", shown.links[17]["id"], "--erase", "--yes")
    ],
    ("POST", "/api/deletions"): lambda shown: ["delete", shown.links[18]["id"], "--dry-run"],
    ("GET", "/api/deletions"): lambda _: ["deletions", "--limit", "3"],
    ("GET", "/api/deletions/{id}"): lambda shown: ["deletions", shown.deletion_id],
    ("POST", "/api/deletions/{id}/restore"): lambda shown: ["restore", shown.deletion_id],
    ("GET", "/api/trash"): lambda _: ["trash"],
}

#: Routes that need a scope which ordinary keys do not have.
FOR_ADMINISTRATORS = frozenset(
    {
        ("POST", "/api/deletions/{id}/restore"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("DELETE", "/api/keys/{id}"),
    }
)


def command(workspace: Workspace, method: str, path: str, shown: Shown) -> str | None:
    """The line for a route, None if there is no command for it."""
    words = COMMANDS.get((method, path))
    if words is None:
        return None
    line = shlex.join(["unlinkctl", *words(shown)])
    if (method, path) in FOR_ADMINISTRATORS:
        return f"UNLINK_API_KEY={workspace.admin_key} {line}"
    return line
