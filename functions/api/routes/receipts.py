"""The receipts of erasures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from functions import container
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import ReceiptNotFound, ReceiptPending
from functions.domain.ids import parse_link_id
from functions.domain.urls import api_base
from functions.services.receipts import find_receipt

if TYPE_CHECKING:
    from functions.schemas.receipt_responses import UnsignedReceipt

routes = Routes("Deletions")


@routes.route("GET", "/api/receipts/{id}", scope="linksRead")
@Described(
    text="A compact JWS with a receipt as its payload, or JSON where receipts are not signed.",
    media=("application/json", "application/jose"),
    headers=("X-Deletion-Id",),
    raises=(ReceiptNotFound, ReceiptPending),
)
def get_receipt(request: Request) -> Response[UnsignedReceipt]:
    """The receipt of an erasure, as a signed document.

    It exists when a last strongly consistent read has found nothing left, and is signed within a
    minute or two; until then the response is 409 with ``retryAfter``. Signed with ES256 by a key
    that never leaves KMS; ``/.well-known/jwks.json`` has the public keys.
    """
    deletion_id = parse_link_id(request.path["id"])
    if deletion_id is None:
        raise ReceiptNotFound
    receipt = find_receipt(
        request.caller.workspace_id,
        deletion_id,
        deletions=container.deletions(),
        receipts=container.receipts(),
        issuer=api_base(request.event),
    )
    headers = {"X-Deletion-Id": deletion_id}
    if isinstance(receipt, str):
        return Response(
            200, cast("UnsignedReceipt", receipt), headers, content_type="application/jose"
        )
    return Response(200, cast("UnsignedReceipt", receipt), headers)
