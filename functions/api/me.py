"""A caller and its workspace's plan, as responses show them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from functions.api.caller import Caller
from functions.domain.camel_case import camel_case
from functions.domain.clock import iso
from functions.domain.plans import SCOPES
from functions.repositories.access import RateWindow

if TYPE_CHECKING:
    from functions.schemas.account_responses import Me, PlanLimits, WorkspacePolicies


def me_view(caller: Caller, window: RateWindow | None) -> Me:
    """Who calls and what it may do; ``window`` is None when the request was not counted."""
    plan = {camel_case(name): value for name, value in asdict(caller.plan).items()}
    return {
        "workspaceId": caller.workspace_id,
        "actor": {"keyId": caller.key_id, "userId": caller.user_id},
        "credential": "key" if caller.role is None else "session",
        "role": caller.role,
        "scopes": [scope for scope in SCOPES if scope in caller.scopes],
        "expiresAt": iso(caller.expires_at) if caller.expires_at is not None else None,
        "plan": cast("PlanLimits", plan),
        "policies": cast("WorkspacePolicies", caller.policies.full()),
        "window": {"limit": window.limit, "remaining": window.remaining, "reset": window.reset}
        if window is not None
        else None,
    }
