"""The ``deletions`` table, read for the trash: the links of soft deletions, and the read units that
this takes.

Every method also returns the read units that DynamoDB says it used.
"""

from __future__ import annotations

from typing import Any

from functions.aws.calls import call
from functions.aws.codec import primary_key
from functions.aws.dynamodb import Table
from functions.domain.deletion import Deletion
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.errors import InternalError
from functions.domain.ids import unpack_ids
from functions.repositories.deletion_items import chunk_key, read_header
from functions.repositories.deletion_reader import headers_query

#: Read units of the largest header, strongly consistent: 256 ids, a long reason and a filter.
HEADER_UNITS = 2.0

#: Read units of a full chunk of ids (40 KB), eventually consistent.
CHUNK_UNITS = 5.0


class TrashRecords(Table):
    """Reads the headers of soft deletions and their ids; ``name`` is the ``deletions`` table."""

    def headers(
        self,
        workspace_id: str,
        *,
        before: str | None,
        limit: int,
        deletion_filter: DeletionFilter,
        strong: bool,
    ) -> tuple[list[Deletion], str | None, float]:
        """Matching headers among the next ``limit``, newest first, with ids and outcomes.

        Also the id of the last header that was looked at (None at the end), and the read units.
        """
        response = call(
            self._client.query,
            TableName=self.name,
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=strong,
            **headers_query(workspace_id, before=before, deletion_filter=deletion_filter),
        )
        found = [read_header(item) for item in response["Items"]]
        last = response.get("LastEvaluatedKey")
        used = _units(response, limit * HEADER_UNITS)
        return found, last["sk"]["S"] if last else None, used

    def header(self, workspace_id: str, deletion_id: str) -> tuple[Deletion | None, float]:
        """One header that was read before, eventually consistent, and the read units."""
        response = call(
            self._client.get_item,
            TableName=self.name,
            Key=primary_key(workspace_id, deletion_id),
            ConsistentRead=False,
        )
        item = response.get("Item")
        return read_header(item) if item else None, _units(response, HEADER_UNITS / 2)

    def chunk(self, deletion: Deletion, number: int) -> tuple[list[str], float]:
        """The 2,500 ids of one chunk and the read units. A chunk never changes."""
        key = chunk_key(deletion, number)
        units = 0.0
        # An eventually consistent read may miss a chunk that was written just now.
        for strong in (False, True):
            response = call(
                self._client.get_item, TableName=self.name, Key=key, ConsistentRead=strong
            )
            units += _units(response, CHUNK_UNITS)
            if "Item" in response:
                return unpack_ids(response["Item"]["ids"]["B"]), units
        raise InternalError("a deletion without its ids")


def _units(response: dict[str, Any], maximum: float) -> float:
    """What DynamoDB reports, or the most that it can be."""
    return float(response.get("ConsumedCapacity", {}).get("CapacityUnits", maximum))
