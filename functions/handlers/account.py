"""The caller's own account, and the workspace's trash."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import account, trash

api = Api(account.routes, trash.routes)
handler = api.handle
