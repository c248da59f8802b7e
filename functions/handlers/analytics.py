"""Analytics of links, their export, and installs."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import analytics, exports, installs

api = Api(analytics.routes, exports.routes, installs.routes)
handler = api.handle
