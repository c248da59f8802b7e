"""The operations that delete and restore links, and those on deletions."""

from __future__ import annotations

from functions.api.openapi.parts import (
    DELETION,
    EXAMPLE_ID,
    LINK_IDS,
    LINK_UUIDS,
    OTHER_ID,
    PENDING,
    REASON,
    TO_DELETION,
    Answer,
    Operation,
    filter_parameters,
    ids_and_reason,
    new_deletion,
    page,
    reference,
)
from functions.domain import errors
from functions.domain.error_bodies import LinkFortyError
from functions.domain.plans import plans
from functions.schemas.deletion_filter import AuditFields, TrashFields
from functions.schemas.deletion_responses import (
    DeletedLinks,
    Deletion,
    DeletionPage,
    ErasedLink,
    ErasedLinks,
    NewErasure,
    PendingErasure,
    PendingLinks,
    PendingRestore,
    Preview,
    RestoredLinks,
)
from functions.schemas.filters import FilterFields
from functions.schemas.link_responses import TrashPage
from functions.schemas.receipt_responses import PublicKeys, UnsignedReceipt

_DELETION_ERRORS = (errors.StillRunning, errors.KeyReused)

#: By method and path, as :data:`~functions.api.openapi.operations.OPERATIONS`.
DELETION_OPERATIONS: dict[str, Operation] = {
    "DELETE /api/links": Operation(
        "deleteLinks",
        "Deleting",
        {
            200: Answer(DeletedLinks, headers=DELETION, links=TO_DELETION),
            202: Answer(PendingLinks, headers=PENDING, links=TO_DELETION),
        },
        (errors.InvalidIds, *_DELETION_ERRORS),
        [REASON],
        body=LINK_UUIDS,
        example=[EXAMPLE_ID, OTHER_ID],
        more="If any id is malformed or not a live link of the workspace, the answer is 400 with "
        "these ids, and nothing is deleted. Records and analytics stay; the short codes stay "
        "taken. The maximum number of ids: "
        + ", ".join(f"{plan.max_ids:,} ({name})" for name, plan in plans().items())
        + ", counted before duplicates are removed.",
    ),
    "DELETE /api/links/{id}": Operation(
        "deleteLink",
        "Deleting",
        {200: Answer(ErasedLink, headers=DELETION, links=TO_DELETION)},
        (errors.LinkNotFound, *_DELETION_ERRORS),
        [REASON],
        more="Record, short code, clicks and QR images are removed for good; the code is free at "
        "once for its own workspace.",
    ),
    "POST /api/links/bulk-delete": Operation(
        "bulkDeleteLinks",
        "Deleting",
        {
            200: Answer(ErasedLinks, headers=DELETION),
            202: Answer(PendingErasure, headers=PENDING, links=TO_DELETION),
        },
        (errors.InvalidIds, *_DELETION_ERRORS),
        [REASON],
        body=ids_and_reason(required=["ids"]),
        example={"ids": [EXAMPLE_ID, OTHER_ID]},
        more="Ids that are malformed, unknown or of another workspace are in `notFoundIds`.",
    ),
    "POST /api/deletions": Operation(
        "createDeletion",
        "Deletions",
        {
            200: Answer(
                NewErasure | Preview,
                "The deletion, or with `dryRun` what it would do.",
                headers=PENDING,
                links=TO_DELETION,
            ),
            202: Answer(
                NewErasure,
                "The rest is finished in the background.",
                headers=PENDING,
                links=TO_DELETION,
            ),
        },
        (errors.InvalidIds, errors.SelectionChanged, errors.LimitReached, *_DELETION_ERRORS),
        [REASON],
        body={
            "oneOf": [
                new_deletion("ids", ids=LINK_IDS),
                new_deletion(
                    "filter",
                    "confirmationToken",
                    filter=reference(FilterFields) | {"minProperties": 1},
                ),
            ]
        },
        example={"ids": [EXAMPLE_ID], "mode": "soft", "reason": "The campaign is over"},
        more="`soft` (scope `linksWrite`) is all or nothing, `erase` (scope `linksErase`) is per "
        "id. A `filter` and a `dryRun` need `linksRead` too. A filter means the live links that "
        "match when the deletion is resolved. A dry run of one returns a `confirmationToken`, "
        "which binds the deletion to exactly those links. With `export`, links and clicks are "
        "first written as NDJSON, and deleted when that is complete; this also needs the scope "
        "`analyticsRead`. For clients that cannot send a body with DELETE.",
    ),
    "GET /api/deletions": Operation(
        "listDeletions",
        "Deletions",
        {200: Answer(DeletionPage)},
        (errors.LimitReached,),
        [*page(100, 50), *filter_parameters(AuditFields)],
        more="`state`, `mode` and `actor` count as reads of a filter: one per record read.",
    ),
    "GET /api/deletions/{id}": Operation(
        "getDeletion",
        "Deletions",
        {200: Answer(Deletion, headers=DELETION)},
        (errors.DeletionNotFound,),
        page(1_000, 100),
    ),
    "POST /api/deletions/{id}/restore": Operation(
        "restoreDeletion",
        "Deletions",
        {
            200: Answer(RestoredLinks, headers=DELETION),
            202: Answer(PendingRestore, headers=PENDING),
        },
        (errors.DeletionNotFound, errors.DeletionOpen, errors.InvalidIds, *_DELETION_ERRORS),
        [REASON],
        body=ids_and_reason(),
        example={"ids": [EXAMPLE_ID]},
        body_required=False,
        more="With `linksUndo` alone it is an undo: only of a soft delete, by the key or signed-in "
        "user that made it, until its `undoUntil`. Links come back complete: short code, clicks, "
        "place in the list; QR images on the next request for them. Without `ids`, all links of "
        "the deletion. Restoring again is no "
        "error. Refused per id: `erased`, `expired` (its retention has ended), `deletedAgain` (by "
        "another deletion), `notDeleted` (it was not found then), `notInDeletion`.",
    ),
    "GET /api/trash": Operation(
        "listTrash",
        "Deletions",
        {200: Answer(TrashPage)},
        parameters=[*page(100, 50), *filter_parameters(TrashFields)],
        more="A link stands under the deletion that it names now, so it is shown once. Restore it "
        "with `POST /api/deletions/{id}/restore`, or erase it with `POST /api/deletions`.",
    ),
    "GET /api/receipts/{id}": Operation(
        "getReceipt",
        "Deletions",
        {
            200: Answer(
                UnsignedReceipt,
                "The receipt: a compact JWS (`application/jose`) with a receipt as its payload, or "
                "JSON where receipts are not signed.",
                ("application/json", "application/jose"),
                DELETION,
            )
        },
        (errors.ReceiptNotFound, errors.ReceiptPending),
        more="Of an erasure, when a last strongly consistent read has found nothing left; it is "
        "signed within a minute or two (409 with `retryAfter` until then). Signed with ES256 by a "
        "key that never leaves KMS; `/.well-known/jwks.json` has the public keys.",
    ),
    "GET /.well-known/jwks.json": Operation(
        "getPublicKeys",
        "Deletions",
        {
            200: Answer(PublicKeys, headers=("Cache-Control",)),
            503: Answer(
                LinkFortyError,
                "The keys cannot be read at the moment.",
                headers=("Retry-After",),
            ),
        },
        summary="The public keys that verify receipts.",
    ),
}
