"""What a caller learns about itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from functions.api.app import Caller
from functions.domain.clock import iso
from functions.domain.plans import SCOPES, Plan
from functions.repositories.access import RateWindow


def me_view(caller: Caller, window: RateWindow | None) -> dict[str, Any]:
    """Who calls, what it may do, and where it stands; ``window`` None when that is not known."""
    return {
        "workspaceId": caller.workspace_id,
        "actor": {"keyId": caller.key_id, "userId": caller.user_id},
        "credential": "key" if caller.role is None else "session",
        "role": caller.role,
        "scopes": [scope for scope in SCOPES if scope in caller.scopes],
        "expiresAt": iso(caller.expires_at) if caller.expires_at is not None else None,
        "plan": plan_view(caller.plan),
        "policies": caller.policies.full(),
        "window": {"limit": window.limit, "remaining": window.remaining, "reset": window.reset}
        if window is not None
        else None,
    }


def plan_view(plan: Plan) -> dict[str, Any]:
    """A plan with its limits, as ``plans.json`` spells them."""
    return {_camel(name): value for name, value in asdict(plan).items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
