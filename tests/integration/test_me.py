"""``GET /api/me``: the caller, its scopes, and its rate window."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from functions.domain.errors import Unavailable
from functions.handlers import account
from functions.repositories.access import AccessTable
from tests.conftest import World
from tests.support.virtual_time import MINUTE_END, VirtualClock


def me(world: World, scopes: str = "analyticsRead", **context: str) -> dict[str, Any]:
    status, body = world.call(account, "GET /api/me", scopes=scopes, plan="free", caller=context)
    assert status == 200
    return dict(body)


def test_a_key_learns_its_scopes_plan_policies_and_window(
    world: World, mid_minute: VirtualClock
) -> None:
    me(world)
    assert me(world, "admin linksRead", retentionDays="30", undoMinutes="0") == {
        "workspaceId": world.workspace_id,
        "actor": {"keyId": f"key-{world.workspace_id}", "userId": "tester"},
        "credential": "key",
        "role": None,
        "scopes": ["linksRead", "admin"],
        "expiresAt": None,
        "plan": {
            "name": "free",
            "requestsPerMinute": 100,
            "maxIds": 100,
            "linksPerWorkspace": 5_000,
            "linksPerCreate": 100,
            "filterReadsPerRequest": 5_000,
            "filterReadsPerMinute": 15_000,
            "openFilters": 1,
            "openExports": 2,
        },
        "policies": {
            "retentionDays": 30,
            "purgeExpiredAfterDays": None,
            "quarantineDays": 0,
            "codeReservationDays": 90,
            "cascadeInstalls": False,
            "linkEvents": False,
            "appSchemes": [],
            "clickRetentionDays": 365,
            "undoMinutes": 0,
        },
        "window": {"limit": 100, "remaining": 98, "reset": MINUTE_END},
    }


def test_a_session_shows_its_role_and_its_expiry(world: World) -> None:
    response = me(world, "linksRead", role="viewer", expiresAt="4070908800")
    assert response["credential"] == "session"
    assert response["role"] == "viewer"
    assert response["expiresAt"] == "2099-01-01T00:00:00.000Z"


def test_a_request_that_could_not_be_counted_has_no_window(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccessTable, "count_request", Mock(side_effect=Unavailable))
    assert me(world)["window"] is None
