"""The workspace's API keys: list, issue, revoke."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import keys

api = Api(keys.routes)
handler = api.handle
