"""The scopes of a signed-in member by role. API keys have their own scopes."""

from __future__ import annotations

from functions.domain.plans import SCOPES

ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("linksRead", "analyticsRead"),
    "editor": ("linksRead", "linksWrite", "linksErase", "linksUndo", "analyticsRead"),
    "owner": SCOPES,
}
