"""The visitors of a link's days with many visitors, in the ``clicks`` table.

Item: ``pk={linkId}#{shard}``, ``sk=VISIT#{date}#{hash}`` → the click that claimed the visitor
(``first``), and ``ttl``. A claim alone counts nothing: the click with the claim counts the visitor
when it is counted, even after a failure and by another worker.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.aws.calls import RETRYABLE, call, until_done
from functions.aws.codec import runs
from functions.aws.dynamodb import READ_BATCH, STATEMENT_BATCH, Table, batch_get
from functions.domain.errors import InternalError
from functions.domain.ids import shard_of

#: Days that a visitor item is kept, for clicks that are counted late. A stream keeps its records
#: for one day, the failures bucket for 14.
VISIT_DAYS = 20


class VisitorsTable(Table):
    """Claims visitors for clicks, and reads which click claimed them."""

    def claimed(
        self,
        link_id: str,
        day: str,
        visitors: Iterable[str],
        *,
        consistent: bool,
    ) -> dict[str, str]:
        """The visitors that are known, and the mark of the click that claimed each.

        A claim never changes, so a read that is not ``consistent`` can only miss one.
        """
        keys = [self.key(link_id, day, visitor) for visitor in visitors]
        claims: dict[str, str] = {}
        for some in runs(keys, READ_BATCH):
            request = {self.name: {"Keys": list(some), "ConsistentRead": consistent}}
            for _, item in batch_get(self._client, request):
                claims[item["sk"]["S"].rpartition("#")[2]] = item["first"]["S"]
        return claims

    def claim(self, link_id: str, day: str, claims: Mapping[str, str]) -> dict[str, str]:
        """Claim visitors for the clicks with these marks; returns who has claimed each.

        A visitor who was claimed before stays with that click.
        """
        statement = f"INSERT INTO \"{self.name}\" VALUE {{'pk':?,'sk':?,'first':?,'ttl':?}}"
        ttl = {"N": str(visit_ttl(day))}

        known: list[str] = []

        def insertion(visitor: str) -> dict[str, Any]:
            key = self.key(link_id, day, visitor)
            parameters = [key["pk"], key["sk"], {"S": claims[visitor]}, ttl]
            return {"Statement": statement, "Parameters": parameters}

        def insert(visitors: Sequence[str]) -> Sequence[str]:
            responses = call(
                self._client.batch_execute_statement,
                Statements=[insertion(visitor) for visitor in visitors],
            )["Responses"]
            again = []
            for visitor, response in zip(visitors, responses, strict=True):
                code = response.get("Error", {}).get("Code")
                if code == "DuplicateItem":
                    known.append(visitor)
                elif code in RETRYABLE:
                    again.append(visitor)
                elif code is not None:
                    raise InternalError
            return again

        for some in runs(list(claims), STATEMENT_BATCH):
            until_done(insert, some)
        return dict(claims) | self.claimed(link_id, day, known, consistent=True)

    @staticmethod
    def key(link_id: str, day: str, visitor: str) -> dict[str, Any]:
        return {
            "pk": {"S": f"{link_id}#{shard_of(visitor)}"},
            "sk": {"S": f"VISIT#{day}#{visitor}"},
        }


def visitor_of(click: Mapping[str, Any], *, secret: bytes) -> str:
    """The hash of a visitor, from address and user agent, for one link and day.

    An HMAC (RFC 2104), because a plain hash of an address can be reversed by trying all addresses.
    """
    parts = (
        click["linkId"],
        click["clickedAt"][:10],
        click.get("ipAddress") or "",
        click.get("userAgent") or "",
    )
    return hmac.new(secret, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def visit_ttl(day: str) -> int:
    """When the stored visitors and counted clicks of a day may be removed, in Unix seconds."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return int((midnight + timedelta(days=VISIT_DAYS)).timestamp())
