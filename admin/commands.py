"""The operations behind the command. The local stack and the tests call them too."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from admin.gateway import UsageKeys
from admin.users import Users
from functions.domain.api_keys import key_state
from functions.domain.app_links import scheme_faults
from functions.domain.click_retention import MIN_CLICK_RETENTION_DAYS
from functions.domain.clock import deadline, iso, now_iso
from functions.domain.errors import UnlinkError
from functions.domain.plans import SCOPES, plans
from functions.domain.policies import Policies
from functions.domain.scopes import ROLES
from functions.repositories.access import AccessTable, AlreadyExists, Unknown
from functions.repositories.api_keys import ApiKeysTable, UnknownKey
from functions.repositories.kept_installs import KeptInstalls
from functions.schemas.api_key_views import key_view
from functions.services.api_keys import new_key

#: Ids are parts of DynamoDB keys, where `#` separates.
_WORKSPACE_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")

#: Maximum days of a policy, and of a key whose end is given in days.
MAX_DAYS = 3_650

#: Maximum seconds of a purge of installs: some hundred thousand of them.
PURGE_SECONDS = 600

Record = dict[str, Any]


class Refused(Exception):
    """The operation is refused; nothing was changed. The message has the reason."""


@dataclass(frozen=True)
class Deployment:
    """The parts of one deployed stack that the command changes."""

    access: AccessTable
    api_keys: ApiKeysTable
    kept_installs: KeptInstalls
    usage_keys: UsageKeys
    users: Users

    @classmethod
    def of(cls, outputs: Mapping[str, str], client: Callable[[str], Any]) -> Deployment:
        """From the outputs of the stack, and a factory of boto3 clients."""
        return cls(
            access=AccessTable(client("dynamodb"), outputs["AccessTableName"]),
            api_keys=ApiKeysTable(client("dynamodb"), outputs["AccessTableName"]),
            kept_installs=KeptInstalls(client("dynamodb"), outputs["ClicksTableName"]),
            usage_keys=UsageKeys(
                client("apigateway"),
                {plan: outputs[f"UsagePlan{plan.capitalize()}"] for plan in plans()},
            ),
            users=Users(client("cognito-idp"), outputs["UserPoolId"]),
        )


# -- workspaces ---------------------------------------------------------------------------


def create_workspace(
    deployment: Deployment, workspace_id: str, *, plan: str = "free", policies: Policies
) -> Record:
    """A new workspace with its usage key in its plan's usage plan."""
    if not _WORKSPACE_ID.fullmatch(workspace_id):
        raise Refused("A workspace id has 2 to 63 lower-case letters, digits and hyphens.")
    _check(plan, policies)
    if deployment.access.workspace(workspace_id) is not None:
        raise Refused(f"Workspace {workspace_id} exists.")
    key_id, value = deployment.usage_keys.create(workspace_id, plan)
    try:
        deployment.access.create_workspace(
            workspace_id, plan=plan, usage_key=value, usage_key_id=key_id, policies=policies
        )
    except AlreadyExists:
        deployment.usage_keys.delete(key_id)
        raise Refused(f"Workspace {workspace_id} exists.") from None
    except BaseException:
        # If the response was lost, the workspace exists, and does not work without its usage key.
        created = deployment.access.workspace(workspace_id)
        if created is None or created["usageKeyId"] != key_id:
            deployment.usage_keys.delete(key_id)
        raise
    return show_workspace(deployment, workspace_id)


def show_workspace(deployment: Deployment, workspace_id: str) -> Record:
    """Plan and every policy."""
    item = _workspace(deployment, workspace_id)
    return {
        "workspaceId": workspace_id,
        "plan": item["plan"],
        "createdAt": item["createdAt"],
        "policies": Policies.read(item).full(),
    }


def list_workspaces(deployment: Deployment) -> list[Record]:
    """Every workspace."""
    return [
        show_workspace(deployment, workspace_id)
        for workspace_id in deployment.access.workspace_ids()
    ]


def set_workspace(
    deployment: Deployment,
    workspace_id: str,
    *,
    plan: str | None = None,
    change: Callable[[Policies], Policies] = lambda policies: policies,
) -> Record:
    """Change plan or policies; effective when the authorizer's cached responses expire."""
    item = _workspace(deployment, workspace_id)
    before = Policies.read(item)
    policies = change(before)
    _check(plan or item["plan"], policies)
    deployment.access.set_workspace(workspace_id, plan=plan, policies=policies, before=before)
    # Also if the plan is the same: that completes an interrupted move. Repeated until the key is in
    # the recorded plan: another operator may have changed it in the meantime.
    moved_to = None
    while (current := _workspace(deployment, workspace_id)["plan"]) != moved_to:
        deployment.usage_keys.move(item["usageKeyId"], current)
        moved_to = current
    return show_workspace(deployment, workspace_id)


def _workspace(deployment: Deployment, workspace_id: str) -> Record:
    item = deployment.access.workspace(workspace_id)
    if item is None:
        raise Refused(f"There is no workspace {workspace_id}.")
    return item


#: The minimum of policies in days, where it is not 1.
_LEAST_DAYS = {
    "quarantineDays": 0,
    "codeReservationDays": 0,
    "clickRetentionDays": MIN_CLICK_RETENTION_DAYS,
}

#: Longest time in which a soft delete may be undone, in minutes: a week.
MAX_UNDO_MINUTES = 10_080


def _check(plan: str, policies: Policies) -> None:
    if plan not in plans():
        raise Refused(f"There is no plan {plan}: choose from {', '.join(plans())}.")
    if faults := scheme_faults(policies.app_schemes):
        raise Refused(f"appSchemes: {'; '.join(faults)}.")
    if not 0 <= policies.undo_minutes <= MAX_UNDO_MINUTES:
        raise Refused(f"undoMinutes must be from 0 to {MAX_UNDO_MINUTES} minutes.")
    for name, value in policies.full().items():
        if isinstance(value, bool) or not isinstance(value, int) or name == "undoMinutes":
            continue
        least = _LEAST_DAYS.get(name, 1)
        if not least <= value <= MAX_DAYS:
            raise Refused(f"{name} must be from {least} to {MAX_DAYS} days.")


# -- installs -----------------------------------------------------------------------------


def purge_installs(deployment: Deployment, workspace_id: str) -> Record:
    """Delete the kept installs of erased links. Safe to repeat."""
    _workspace(deployment, workspace_id)
    with deadline(PURGE_SECONDS):
        purged = deployment.kept_installs.purge(workspace_id)
    return {"workspaceId": workspace_id, "installsPurged": purged}


# -- keys ---------------------------------------------------------------------------------


def issue_key(
    deployment: Deployment,
    workspace_id: str,
    *,
    name: str,
    scopes: Sequence[str],
    user_id: str | None = None,
    expires_at: str | None = None,
) -> tuple[str, Record]:
    """A new API key and its record. The key itself is not stored."""
    _workspace(deployment, workspace_id)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        named = ", ".join(map(repr, unknown))
        raise Refused(f"A key needs scopes from {','.join(SCOPES)}; not: {named}.")
    if len(set(scopes)) < len(scopes):
        raise Refused("A key has each scope only once.")
    if expires_at is not None and expires_at <= now_iso():
        raise Refused(f"{expires_at} has passed.")
    secret, record = new_key(
        deployment.api_keys,
        workspace_id,
        name=name,
        scopes=scopes,
        user_id=user_id or name,
        expires_at=expires_at,
    )
    return secret, _key_view(record)


def list_keys(deployment: Deployment, workspace_id: str) -> list[Record]:
    """Every key of a workspace, oldest first, without secret and hash."""
    _workspace(deployment, workspace_id)
    return [_key_view(record) for record in deployment.api_keys.all(workspace_id)]


def rotate_key(
    deployment: Deployment, workspace_id: str, key_id: str, *, grace_seconds: int
) -> tuple[str, Record]:
    """A new key with the same name, user, scopes and expiry; the old one stays valid for the grace
    period.

    If the old one cannot be ended, the record has a ``warning``: the new secret must not be lost.
    """
    old = _usable_key(deployment, workspace_id, key_id)
    attribute = "expiresAt" if grace_seconds else "revokedAt"
    # Before the new key is issued: an error after that loses its secret.
    end = iso(time.time() + grace_seconds)
    secret, record = issue_key(
        deployment,
        workspace_id,
        name=old["name"],
        scopes=old["scopes"],
        user_id=old["userId"],
        expires_at=old.get("expiresAt"),
    )
    try:
        deployment.api_keys.end(old, attribute=attribute, at=end)
    except UnlinkError as error:
        record["warning"] = (
            f"{key_id} still works, because it could not be ended ({error}). "
            f"Revoke it: key revoke {workspace_id} {key_id}"
        )
    return secret, record


def revoke_key(deployment: Deployment, workspace_id: str, key_id: str) -> Record:
    """Revoke a key; effective when the authorizer's cached responses expire."""
    record = _key_of(deployment, workspace_id, key_id)
    deployment.api_keys.end(record, attribute="revokedAt", at=now_iso())
    return _key_view(_key_of(deployment, workspace_id, key_id))


def _key_of(deployment: Deployment, workspace_id: str, key_id: str) -> Record:
    try:
        return deployment.api_keys.get(workspace_id, key_id)
    except UnknownKey:
        raise Refused(f"Workspace {workspace_id} has no key {key_id}.") from None


def _usable_key(deployment: Deployment, workspace_id: str, key_id: str) -> Record:
    record = _key_of(deployment, workspace_id, key_id)
    if (state := key_state(record)) != "active":
        raise Refused(f"Key {key_id} is {state}.")
    return record


def _key_view(record: Record) -> Record:
    return {"workspaceId": record["workspaceId"], **key_view(record)}


# -- members ------------------------------------------------------------------------------


def add_member(
    deployment: Deployment, workspace_id: str, user: str, *, role: str, invite: bool = False
) -> Record:
    """Make a user of the pool a member, by e-mail address or id; also changes a member's role."""
    _workspace(deployment, workspace_id)
    if role not in ROLES:
        raise Refused(f"There is no role {role}: choose from {', '.join(ROLES)}.")
    found = deployment.users.invite(user) if invite else deployment.users.find(user)
    if found is None:
        raise Refused(f"The user pool has no user {user}. `--invite` creates one.")
    try:
        record = deployment.access.put_member(
            found.id, workspace_id=workspace_id, role=role, email=found.email
        )
    except AlreadyExists:
        raise Refused(f"{user} is a member of another workspace.") from None
    except Unknown:
        raise Refused(f"{user} was removed by another operator.") from None
    return _member_view(record)


def list_members(deployment: Deployment, workspace_id: str) -> list[Record]:
    """The members of a workspace, oldest first."""
    _workspace(deployment, workspace_id)
    return [_member_view(record) for record in deployment.access.members(workspace_id)]


def remove_member(deployment: Deployment, workspace_id: str, user: str) -> Record:
    """End a membership, by e-mail address or id; effective as the revocation of a key is.

    ``activeKeys`` are the API keys that act for this user: they stay valid.
    """
    _workspace(deployment, workspace_id)
    for record in deployment.access.members(workspace_id):
        if user in (record["userId"], record.get("email")):
            try:
                deployment.access.remove_member(record["userId"], workspace_id=workspace_id)
            except Unknown:
                raise Refused(f"{user} was removed by another operator.") from None
            active = [
                key["keyId"]
                for key in deployment.api_keys.all(workspace_id)
                if key["userId"] == record["userId"] and key_state(key) == "active"
            ]
            return {**_member_view(record), "activeKeys": active}
    raise Refused(f"Workspace {workspace_id} has no member {user}.")


def _member_view(record: Record) -> Record:
    return {
        "userId": record["userId"],
        "workspaceId": record["workspaceId"],
        "email": record.get("email"),
        "role": record["role"],
        "scopes": list(ROLES[record["role"]]),
        "createdAt": record["createdAt"],
    }
