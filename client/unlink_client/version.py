"""The version of this distribution."""

from __future__ import annotations

__version__ = "1.0.0"

USER_AGENT = f"unlinkctl/{__version__}"
