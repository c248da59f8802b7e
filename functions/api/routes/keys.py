"""The workspace's API keys: list, issue, revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import container
from functions.api.caller import Caller
from functions.api.paging import next_cursor, page, page_of
from functions.api.request import Request, parameter
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import ApiKeyNotFound, Conflict, LastAdmin, StillRunning
from functions.domain.idempotency import IdempotencyRecord, KeyTaken
from functions.domain.query_params import parse_bool_param
from functions.schemas.api_key_views import key_view
from functions.services.api_keys import Issuer, check_issuer, effective_by, find_key, issue, revoke

if TYPE_CHECKING:
    from functions.schemas.account_responses import ApiKeyPage, IssuedApiKey, RevokedApiKey

routes = Routes("Account")


def _issuer(caller: Caller) -> Issuer:
    """The caller, if it is an admin credential at this very moment."""
    issuer = Issuer(caller.workspace_id, caller.key_id, caller.user_id, caller.scopes)
    return check_issuer(issuer, container.api_keys(), container.access())


def _key_of(request: Request, record: IdempotencyRecord) -> dict[str, object]:
    """The key that an earlier request was about."""
    workspace_id = _issuer(request.caller).workspace_id
    return find_key(workspace_id, record.details["keyId"], container.api_keys())


def _claim(request: Request, key_id: str) -> dict[str, object] | None:
    key, workspace_id = request.idempotency_key, request.caller.workspace_id
    if key is None:
        return None
    return container.idempotency().claim_action(workspace_id, key, {"keyId": key_id})


@routes.route("GET", "/api/keys", scope="admin", query=page(maximum=100))
def list_keys(request: Request) -> Response[ApiKeyPage]:
    """The API keys of the workspace, newest first."""
    workspace_id = _issuer(request.caller).workspace_id
    limit, before = page_of(request, "keys")
    found, last = container.api_keys().page(workspace_id, limit=limit, before=before)
    cursor = next_cursor(request, "keys", last) if last is not None else None
    return Response(200, {"keys": [key_view(each) for each in found], "nextCursor": cursor})


def _issue_again(request: Request, record: IdempotencyRecord) -> Response[IssuedApiKey]:
    return Response(201, {**key_view(_key_of(request, record)), "secret": None})


@routes.route("POST", "/api/keys", scope="admin", replay=_issue_again)
@Described(
    status=201, body="NewApiKey", raises=(Conflict,), leads_to={"/api/keys/{id}": {"id": "keyId"}}
)
def issue_key(request: Request) -> Response[IssuedApiKey]:
    """Issue an API key with scopes that the caller has.

    A key acts for the user who issued it. It cannot have scopes that the issuer lacks (403),
    nor expire later than the key that issues it (400). A workspace can have 100 active keys (409
    with ``limit``). The secret is shown once: a repeated request returns the same key with
    ``secret`` null.
    """
    # Imported here: the parser loads pydantic, which the function's other routes do not need.
    from functions.schemas.api_keys import parse_new_api_key

    new = parse_new_api_key(request.json)
    issuer = _issuer(request.caller)
    try:
        secret_key, record = issue(
            issuer,
            container.api_keys(),
            name=new.name,
            scopes=new.scopes,
            expires_at=new.expires_at,
            claim=lambda key_id: _claim(request, key_id),
        )
    except KeyTaken:
        # The same request was faster, or this call was applied and its response lost.
        raise StillRunning from None
    return Response(201, {**key_view(record), "secret": secret_key}, log_fields=_log(record))


def _revoke_again(request: Request, record: IdempotencyRecord) -> Response[RevokedApiKey]:
    return _revoked(_key_of(request, record))


LAST_ADMIN = parameter(
    "Revoke it also if no other credential of the workspace has `admin`.", "boolean", default=False
)


@routes.route(
    "DELETE", "/api/keys/{id}", scope="admin", query={"lastAdmin": LAST_ADMIN}, replay=_revoke_again
)
@Described(raises=(ApiKeyNotFound, LastAdmin))
def revoke_key(request: Request) -> Response[RevokedApiKey]:
    """Revoke an API key, permanently.

    The gateway may accept the key until ``effectiveBy``, but it cannot manage keys any more.
    Revoking a revoked key changes nothing.
    """
    request.members()
    last_admin = parse_bool_param(request.query.get("lastAdmin"), "lastAdmin")
    issuer, key_id = _issuer(request.caller), request.path["id"]
    try:
        claim = _claim(request, key_id)
        record = revoke(
            issuer,
            key_id,
            container.api_keys(),
            container.access(),
            last_admin=last_admin,
            claim=claim,
        )
    except KeyTaken:
        raise StillRunning from None
    return _revoked(record)


def _revoked(record: dict[str, object]) -> Response[RevokedApiKey]:
    body: RevokedApiKey = {**key_view(record), "effectiveBy": effective_by(record)}
    return Response(200, body, log_fields=_log(record))


def _log(record: dict[str, object]) -> dict[str, object]:
    return {"aboutKeyId": record["keyId"]}
