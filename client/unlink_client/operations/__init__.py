"""One function for each operation of the API: its arguments as a :class:`~.calls.Call`.

The names and arguments are those of the OpenAPI document in snake case; a test compares both.
"""

from __future__ import annotations

from unlink_client.operations.account import (
    get_jwks,
    get_me,
    get_open_api,
    get_receipt,
    issue_key,
    list_keys,
    revoke_key,
)
from unlink_client.operations.analytics import (
    create_export,
    create_install,
    get_analytics,
    get_export,
)
from unlink_client.operations.deletions import (
    bulk_delete_links,
    create_deletion,
    delete_link,
    delete_links,
    get_deletion,
    list_deletions,
    list_trash,
    preview_deletion,
    restore_deletion,
)
from unlink_client.operations.links import (
    create_link,
    create_links,
    get_link,
    get_link_qr,
    list_links,
    update_link,
)

__all__ = [
    "bulk_delete_links",
    "create_deletion",
    "create_export",
    "create_install",
    "create_link",
    "create_links",
    "delete_link",
    "delete_links",
    "get_analytics",
    "get_deletion",
    "get_export",
    "get_jwks",
    "get_link",
    "get_link_qr",
    "get_me",
    "get_open_api",
    "get_receipt",
    "issue_key",
    "list_deletions",
    "list_keys",
    "list_links",
    "list_trash",
    "preview_deletion",
    "restore_deletion",
    "revoke_key",
    "update_link",
]
