"""Creating, listing, reading and updating links."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import create_links, links

api = Api(create_links.routes, links.routes)
handler = api.handle
