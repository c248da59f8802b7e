"""Deleting links, the audit trail of deletions, and restoring links."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import create_deletion, delete_links, read_deletions, restore_deletion

api = Api(
    delete_links.routes, create_deletion.routes, read_deletions.routes, restore_deletion.routes
)
handler = api.handle
