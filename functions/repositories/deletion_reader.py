"""Reads deletion records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.aws.calls import call
from functions.aws.codec import primary_key, to_item
from functions.aws.parallel import in_parallel
from functions.domain.clock import now_iso
from functions.domain.deletion import Deletion
from functions.domain.deletion_filter import EVERY_DELETION, DeletionFilter
from functions.domain.ids import unpack_ids
from functions.domain.outcomes import Outcome
from functions.repositories import deletion_items
from functions.repositories.deletion_items import chunk_key, read_header
from functions.repositories.open_index import OpenIndex

#: The attributes of a header in a list, by the aliases of an expression.
_LISTED = {
    f"#{number}": name
    for number, name in enumerate(
        [
            "pk",
            "sk",
            "mode",
            "state",
            "actor",
            "createdAt",
            "sourceIp",
            "reason",
            "completedAt",
            "counts",
            "receipt",
            "selector",
            "failure",
            "export",
        ]
    )
}


def headers_query(
    workspace_id: str,
    *,
    before: str | None,
    deletion_filter: DeletionFilter = EVERY_DELETION,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The parameters of a ``Query`` for the matching headers of a workspace, newest first.

    ``before`` is the id of the last header that was looked at. ``names`` are further aliases of
    attribute names.
    """
    low, high = deletion_filter.id_range()
    values: dict[str, Any] = {":workspace": workspace_id, ":low": low, ":high": high}
    wanted = {"#state": ("state", deletion_filter.state), "#mode": ("mode", deletion_filter.mode)}
    filters = {alias: each for alias, each in wanted.items() if each[1] is not None}
    conditions = [f"{alias}=:{name}" for alias, (name, _) in filters.items()]
    values |= {f":{name}": value for name, value in filters.values()}
    aliases = dict(names or {}) | {alias: name for alias, (name, _) in filters.items()}
    if deletion_filter.actor is not None:
        aliases |= {"#actor": "actor", "#key": "keyId", "#user": "userId", "#service": "service"}
        conditions.append("(#actor.#key=:actor OR #actor.#user=:actor OR #actor.#service=:actor)")
        values[":actor"] = deletion_filter.actor
    query: dict[str, Any] = {
        "KeyConditionExpression": "pk=:workspace AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": to_item(values),
    }
    if conditions:
        query["FilterExpression"] = " AND ".join(conditions)
    if aliases:
        query["ExpressionAttributeNames"] = aliases
    if before is not None:
        query["ExclusiveStartKey"] = primary_key(workspace_id, before)
    return query


class DeletionReader(OpenIndex):
    """Reads deletion records; ``name`` is the ``deletions`` table."""

    def header(self, workspace_id: str, deletion_id: str) -> Deletion | None:
        """The record without chunked ids; None if the workspace has no such deletion."""
        item = self._read_item(primary_key(workspace_id, deletion_id))
        return read_header(item) if item else None

    def load(self, workspace_id: str, deletion_id: str) -> Deletion | None:
        """The whole record, with all ids and, for an open erasure, the outcomes of its
        transactions.
        """
        deletion = self.header(workspace_id, deletion_id)
        if deletion is None:
            return None
        if deletion.id_chunks:
            every = deletion.id_chunks * deletion_items.CHUNK_IDS
            deletion.link_ids = self.page_of_ids(deletion, 0, every)
        if deletion.mode == "erase" and deletion.open:
            self.read_done(deletion)
        return deletion

    def page_of_ids(self, deletion: Deletion, start: int, limit: int) -> list[str]:
        """Ids ``start`` to ``start + limit`` of a record, reading only the chunks they are in."""
        if not deletion.id_chunks:
            return deletion.link_ids[start : start + limit]
        numbers = range(
            start // deletion_items.CHUNK_IDS,
            min(deletion.id_chunks, -(-(start + limit) // deletion_items.CHUNK_IDS)),
        )
        keys = [chunk_key(deletion, number) for number in numbers]
        items = in_parallel(self._read_item, keys)
        ids = unpack_ids(b"".join(item["ids"]["B"] for item in items if item))
        skipped = start - numbers.start * deletion_items.CHUNK_IDS
        return ids[skipped : skipped + limit]

    def newest(
        self,
        workspace_id: str,
        *,
        limit: int,
        before: str | None,
        deletion_filter: DeletionFilter = EVERY_DELETION,
    ) -> tuple[list[Deletion], str | None]:
        """Matching headers among ``limit`` of a workspace, newest first, without ids and outcomes.

        Also the id of the last header that was looked at; None when no more follow. ``before`` is
        such an id, and the headers after it are read. A running erasure comes with its outcomes:
        its header lags behind its transactions, and ``GET /api/deletions/{id}`` counts what they
        did.
        """
        if deletion_filter.matches_nothing:
            return [], None
        response = call(
            self._client.query,
            TableName=self.name,
            # Ids and outcomes are most of a header. Leaving them out costs the same read units but
            # saves transfer time.
            ProjectionExpression=",".join(_LISTED),
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
            **headers_query(
                workspace_id, before=before, deletion_filter=deletion_filter, names=_LISTED
            ),
        )
        found = [read_header(item) for item in response["Items"]]
        running = [n for n, each in enumerate(found) if each.open and each.mode == "erase"]

        def read(number: int) -> None:
            whole = self.header(workspace_id, found[number].id)
            if whole is not None:
                if whole.open:
                    self.read_done(whole)
                found[number] = whole

        in_parallel(read, running)
        last = response.get("LastEvaluatedKey")
        return found, last["sk"]["S"] if last else None

    def read_done(self, deletion: Deletion) -> None:
        """Apply the outcome items that erasing transactions wrote."""
        for item in self._items_of(f"{deletion.workspace_id}#{deletion.id}", "DONE#"):
            for number in item["positions"]["L"]:
                deletion.outcomes[int(number["N"])] = Outcome.ERASED

    def expired_leases(self, *, limit: int) -> list[tuple[str, str]]:
        """``(workspace_id, deletion_id)`` of open deletions whose lease has run out."""
        items = self._open_items("OPEN", before=now_iso(), limit=limit)
        return [(item["pk"]["S"], item["sk"]["S"]) for item in items]
