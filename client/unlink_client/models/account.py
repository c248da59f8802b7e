"""The caller, its workspace, and API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who made a request: a key and its user, or a part of the service (``retention``)."""

    key_id: str | None = None
    user_id: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """What the plan of a workspace allows."""

    name: str
    requests_per_minute: int
    max_ids: int
    links_per_workspace: int
    links_per_create: int
    filter_reads_per_request: int
    filter_reads_per_minute: int
    open_filters: int
    open_exports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspacePolicies:
    """The policies of a workspace; None is never."""

    retention_days: int | None
    purge_expired_after_days: int | None
    quarantine_days: int
    code_reservation_days: int
    cascade_installs: bool
    link_events: bool
    app_schemes: tuple[str, ...]
    click_retention_days: int | None
    undo_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteWindow:
    """The key's requests in this minute; ``reset`` is its end in Unix seconds."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The caller of a request. ``role`` is None for an API key."""

    workspace_id: str
    actor: Actor
    credential: Literal["key", "session"]
    role: Literal["viewer", "editor", "owner"] | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    plan: PlanLimits
    policies: WorkspacePolicies
    window: MinuteWindow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key, without its secret. ``last_used_at`` is to the hour."""

    key_id: str
    name: str
    user_id: str
    scopes: tuple[str, ...]
    state: Literal["active", "revoked", "expired"]
    created_at: datetime
    created_by: Actor | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedApiKey(ApiKey):
    """A new key. ``secret`` is shown once: it is None in the response to a repeated request."""

    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedApiKey(ApiKey):
    """A revoked key. The gateway may still accept it until ``effective_by``."""

    effective_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyPage:
    """Keys of the workspace, newest first, revoked and expired ones included."""

    keys: tuple[ApiKey, ...]
    next_cursor: str | None
