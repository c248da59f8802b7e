"""Who calls: the authorizer's context, as the routes see it."""

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.domain.errors import MissingScopes
from functions.domain.plans import Plan, plans
from functions.domain.policies import Policies

if TYPE_CHECKING:
    from functions.domain.record_types import Role


class Caller(NamedTuple):
    """The caller, as the authorizer identified it; ``expires_at`` in Unix seconds."""

    workspace_id: str
    key_id: str
    user_id: str
    scopes: frozenset[str]
    plan: Plan
    policies: Policies
    source_ip: str
    expires_at: int | None = None
    #: Of a signed-in member; None for an API key.
    role: "Role | None" = None

    def require(self, *scopes: str) -> None:
        """Raises ``MissingScopes`` with those that the caller's key lacks."""
        if missing := [scope for scope in scopes if scope not in self.scopes]:
            raise MissingScopes(missing)


def caller_of(event: dict[str, Any]) -> Caller:
    """The caller from the authorizer's context (API Gateway turns every value into text)."""
    context = event["requestContext"]["authorizer"]
    expires_at = context.get("expiresAt")
    return Caller(
        workspace_id=context["workspaceId"],
        key_id=context["keyId"],
        user_id=context["userId"],
        scopes=frozenset(context["scopes"].split()),
        plan=plans()[context["plan"]],
        policies=Policies.read(context),
        source_ip=event["requestContext"].get("identity", {}).get("sourceIp", ""),
        expires_at=int(expires_at) if expires_at else None,
        role=context.get("role"),
    )
