"""QR codes of links."""

from __future__ import annotations

from functions.api.app import Api
from functions.api.routes import qr

api = Api(qr.routes)
handler = api.handle
