"""A plan: the result of a filter, stored so that exactly these links are deleted later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from unlink_client.calls import moment_text
from unlink_client.decoding import camel
from unlink_client.errors import PlanIsInvalid
from unlink_client.filters import FilterArgs, filter_json
from unlink_client.models import Mode, Preview

#: How long the service accepts a confirmation token.
VALID_FOR = timedelta(hours=1)

_FORMAT = "unlink-plan"
_VERSION = 1
_MOMENTS = ("created_before", "created_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The links that matched a filter, as the service counted them.

    ``token`` identifies the set: applying the plan deletes exactly that set, or nothing. ``ids``
    are the links of the set if the plan was made with them; they are used only to show what changed
    if the plan is stale. ``url`` is the service that the plan belongs to, ``workspace_id`` the
    workspace if it is known.
    """

    conditions: FilterArgs
    mode: Mode
    count: int
    clicks: int
    last_click_at: datetime | None
    token: str
    created_at: datetime
    url: str
    ids: tuple[str, ...] | None = None
    workspace_id: str | None = None

    @property
    def erase(self) -> bool:
        """Whether the links are erased."""
        return self.mode == "erase"

    @property
    def expires_at(self) -> datetime:
        """Until when the service accepts the plan."""
        return self.created_at + VALID_FOR

    @property
    def idempotency_key(self) -> str:
        """One key a plan: applying it twice deletes once."""
        return f"plan-{hashlib.sha256(self.token.encode()).hexdigest()}"

    def dumps(self) -> str:
        """The plan as the text of a file."""
        document: dict[str, Any] = {
            "format": _FORMAT,
            "version": _VERSION,
            "url": self.url,
            "filter": filter_json(self.conditions),
            "mode": self.mode,
            "count": self.count,
            "clicks": self.clicks,
            "lastClickAt": moment_text(self.last_click_at) if self.last_click_at else None,
            "createdAt": moment_text(self.created_at),
            "expiresAt": moment_text(self.expires_at),
            "token": self.token,
        }
        if self.workspace_id is not None:
            document["workspaceId"] = self.workspace_id
        if self.ids is not None:
            document["ids"] = list(self.ids)
        # Finds accidental edits. The service checks the token, which cannot be forged.
        document["checksum"] = _checksum(document)
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def loads(cls, text: str) -> Plan:
        """The inverse of :meth:`dumps`; raises ``PlanIsInvalid``."""
        try:
            document = json.loads(text)
        except ValueError:
            raise PlanIsInvalid("Not a plan: the text is not JSON") from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise PlanIsInvalid("Not a plan: `unlinkctl plan` writes one")
        if document.get("version") != _VERSION:
            raise PlanIsInvalid(
                f"This plan has version {document.get('version')!r}; this client reads {_VERSION}"
            )
        if document.pop("checksum", None) != _checksum(document):
            raise PlanIsInvalid("The plan was changed after it was written. Make a new one.")
        try:
            return cls(
                conditions=conditions_of(document["filter"]),
                mode=cast("Mode", document["mode"]),
                count=int(document["count"]),
                clicks=int(document["clicks"]),
                last_click_at=_moment(document["lastClickAt"]),
                token=str(document["token"]),
                created_at=datetime.fromisoformat(document["createdAt"]),
                url=str(document["url"]),
                ids=tuple(document["ids"]) if "ids" in document else None,
                workspace_id=document.get("workspaceId"),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise PlanIsInvalid("The plan is incomplete. Make a new one.") from None


def plan_of(
    preview: Preview, conditions: FilterArgs, url: str, ids: tuple[str, ...] | None = None
) -> Plan:
    """The plan from a dry run of a filter."""
    return Plan(
        conditions=conditions,
        mode=preview.mode,
        count=preview.counts.deletable,
        clicks=preview.clicks,
        last_click_at=preview.last_click_at,
        token=preview.confirmation_token,
        created_at=datetime.now(UTC),
        url=url,
        ids=ids,
    )


def conditions_of(document: Mapping[str, Any]) -> FilterArgs:
    """The inverse of :func:`~.filters.filter_json`."""
    names = {camel(name): name for name in FilterArgs.__annotations__}
    found: dict[str, Any] = {}
    for given, value in document.items():
        name = names[given]
        found[name] = datetime.fromisoformat(value) if name in _MOMENTS else value
    return cast("FilterArgs", found)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _checksum(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
