"""Responses about the caller and its workspace."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from functions.domain.api_keys import KeyState
from functions.domain.json_types import Count, Cursor, Time
from functions.domain.record_types import Actor, Role


class ApiKey(TypedDict):
    """What is known of an API key. The key itself is not stored."""

    keyId: str
    name: str
    userId: str
    scopes: list[str]
    state: KeyState
    createdAt: Time
    createdBy: Actor | None
    """Null for a key that an operator issued."""
    expiresAt: Time | None
    revokedAt: Time | None
    lastUsedAt: Time | None
    """To the hour."""


class IssuedApiKey(ApiKey):
    """A new API key."""

    secret: str | None
    """The key itself. Null when the request is repeated: it is shown once."""


class RevokedApiKey(ApiKey):
    """A revoked API key."""

    effectiveBy: Time
    """Until then the gateway may still accept it."""


class ApiKeyPage(TypedDict):
    """API keys of the workspace, newest first, revoked and expired ones included."""

    keys: list[ApiKey]
    nextCursor: Cursor


class PlanLimits(TypedDict):
    """What the workspace's plan allows."""

    name: str
    requestsPerMinute: Count
    maxIds: Count
    linksPerWorkspace: Count
    linksPerCreate: Count
    filterReadsPerRequest: Count
    filterReadsPerMinute: Count
    openFilters: Count
    openExports: Count


class WorkspacePolicies(TypedDict):
    """The workspace's policies for deletes. Days; null means never."""

    retentionDays: Count | None
    purgeExpiredAfterDays: Count | None
    quarantineDays: Count
    codeReservationDays: Count
    cascadeInstalls: bool
    linkEvents: bool
    appSchemes: list[str]
    clickRetentionDays: Count | None
    undoMinutes: Count


class MinuteWindow(TypedDict):
    """The caller's rate limit in the current minute, including this request."""

    limit: Count
    remaining: Count
    reset: Count
    """When the minute ends, in Unix seconds."""


class Me(TypedDict):
    """Who calls, what it may do, and under which plan and policies."""

    workspaceId: str
    actor: Actor
    credential: Literal["key", "session"]
    role: Role | None
    """Null for an API key."""
    scopes: list[str]
    expiresAt: Time | None
    """When the key or session ends."""
    plan: PlanLimits
    policies: WorkspacePolicies
    window: MinuteWindow | None
    """Null when the request could not be counted."""
