"""What a member of a workspace may do when signed in. API keys name their scopes themselves."""

from __future__ import annotations

from functions.domain.plans import SCOPES

ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("linksRead", "analyticsRead"),
    "editor": ("linksRead", "linksWrite", "linksErase", "linksUndo", "analyticsRead"),
    "owner": SCOPES,
}
