"""Shared by requests that delete or restore: ids, the reason and the actor."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api.request import Request, parameter
from functions.domain.deletion import Deletion
from functions.domain.error_texts import as_text
from functions.domain.errors import InvalidIds, InvalidRequest
from functions.domain.idempotency import IdempotencyRecord
from functions.domain.ids import parse_link_id
from functions.domain.plans import MAX_REASON
from functions.services.deletion import DeletionRequest, deletion_of

#: The query parameter of what deletes and restores.
REASON = {
    "reason": parameter("Why. Kept with the deletion, not interpreted.", maxLength=MAX_REASON)
}


def distinct_ids(
    body: object, request: Request, *, name: str = "The body"
) -> tuple[list[str], list[str]]:
    """The distinct well-formed ids in lower case and request order, and the malformed ones.

    The limit counts before de-duplication. Raises ``InvalidRequest``, also for items that are not
    text. A text that is not an id is reported as not found, but an object around an id is a
    mistake. ``name`` is what the error calls the array.
    """
    if not isinstance(body, list):
        raise InvalidRequest(f"{name} must be an array of link ids")
    if not body:
        raise InvalidRequest("At least one id is required")
    limit = request.caller.plan.max_ids
    if len(body) > limit:
        raise InvalidRequest(
            f"At most {limit} ids in one request under the {request.caller.plan.name} plan",
            limit=limit,
        )
    valid, invalid = sort_ids(body)
    if not all(isinstance(entry, str) for entry in body):
        raise InvalidIds("Every id must be text", invalid=invalid, unknown=[])
    return valid, invalid


def sort_ids(ids: list[Any]) -> tuple[list[str], list[str]]:
    """The distinct ids in lower case and request order, and the malformed ones."""
    valid: dict[str, None] = {}
    invalid: dict[str, None] = {}
    for entry in ids:
        link_id = parse_link_id(entry)
        if link_id is None:
            invalid[as_text(entry)] = None
        else:
            valid[link_id] = None
    return list(valid), list(invalid)


def reason_of(request: Request, in_body: object = None) -> str | None:
    """The body's reason, else the query's; both are checked. Raises ``InvalidRequest``."""
    in_query = _checked_reason(request.query.get("reason"))
    of_body = _checked_reason(in_body)
    return in_query if of_body is None else of_body


def _checked_reason(reason: object) -> str | None:
    if reason is None:
        return None
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise InvalidRequest(f"reason must be text of at most {MAX_REASON} characters")
    return reason


def deletion_request(
    request: Request, reason: str | None, *, export: bool = False
) -> DeletionRequest:
    caller = request.caller
    return DeletionRequest(
        workspace_id=caller.workspace_id,
        actor={"keyId": caller.key_id, "userId": caller.user_id},
        source_ip=caller.source_ip,
        reason=reason,
        key=request.idempotency_key,
        retention_days=caller.policies.retention_days,
        policies=caller.policies.record(),
        export_base_url=request.base_url if export else None,
        open_exports=caller.plan.open_exports,
    )


def earlier_deletion(request: Request, record: IdempotencyRecord) -> Deletion:
    """The deletion that the request's Idempotency-Key leads to."""
    deletions, workspace_id = container.deletions(), request.caller.workspace_id
    return deletion_of(record, workspace_id, deletions)
