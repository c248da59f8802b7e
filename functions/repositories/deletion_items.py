"""The items of a deletion: its header, its chunks of ids, and the attributes of each."""

from __future__ import annotations

import json
from typing import Any

from functions.aws.codec import from_item, primary_key, to_item
from functions.domain.clock import iso
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.ids import pack_ids, unpack_ids
from functions.domain.outcomes import Outcome, count, pack_outcomes, unpack_outcomes
from functions.repositories.open_index import open_shard

#: Maximum number of ids in the header (4 KB). More ids are written before it, in chunks of 2,500
#: (40 KB).
INLINE_IDS = 256

CHUNK_IDS = 2_500

PROGRESS = "outcomes=:outcomes, counts=:counts"


def progress_values(deletion: Deletion) -> dict[str, Any]:
    return {
        ":outcomes": {"B": pack_outcomes(deletion.outcomes)},
        ":counts": to_item({"counts": count(deletion.outcomes)})["counts"],
    }


LEASE_UNTIL = "leaseUntil=:until, openSk=:openSk"


def lease_values(deletion: Deletion, until: float) -> dict[str, Any]:
    return {
        ":until": milliseconds(until),
        ":openSk": {"S": f"{iso(until)}#{deletion.id}"},
    }


def recorded_ids(deletion: Deletion) -> dict[str, Any]:
    """The attribute with the ids, or with the place of their chunks."""
    if deletion.id_chunks:
        return {"idChunks": {"N": str(deletion.id_chunks)}}
    return {"ids": {"B": pack_ids(deletion.link_ids)}}


def _selector_record(filter_request: FilterRequest | None) -> dict[str, Any] | None:
    if filter_request is None:
        return None
    # The filter as JSON text keeps numbers and timestamps as they were written.
    return filter_request._asdict() | {"filter": json.dumps(filter_request.filter)}


def _selector(record: dict[str, Any] | None) -> FilterRequest | None:
    if record is None:
        return None
    return FilterRequest(**record | {"filter": json.loads(record["filter"])})


def milliseconds(seconds: float) -> dict[str, str]:
    # Integers: trailing zeros of decimals are written differently by DynamoDB and emulators, and a
    # repeated transaction must be identical.
    return {"N": str(round(seconds * 1000))}


def chunk_key(deletion: Deletion, number: int) -> dict[str, Any]:
    """The key of one chunk of a deletion's ids."""
    return primary_key(f"{deletion.workspace_id}#{deletion.id}", f"CHUNK#{number:05d}")


def header_item(deletion: Deletion) -> dict[str, Any]:
    item = primary_key(deletion.workspace_id, deletion.id) | to_item(
        {
            "mode": deletion.mode,
            "state": deletion.state,
            "actor": deletion.actor,
            "createdAt": deletion.created_at,
            "sourceIp": deletion.source_ip,
            "reason": deletion.reason,
            "completedAt": deletion.completed_at,
            "retentionDays": deletion.retention_days,
            "selector": _selector_record(deletion.filter_request),
            "policies": deletion.policies or None,
            "export": deletion.export,
            "ttl": deletion.ttl,
            "counts": count(deletion.outcomes),
            "outcomes": pack_outcomes(deletion.outcomes),
        }
    )
    item |= recorded_ids(deletion)
    if deletion.open:
        item["lease"] = {"S": deletion.lease or ""}
        item["leaseUntil"] = milliseconds(deletion.lease_until)
        item["openPk"] = {"S": open_shard("OPEN", deletion.id)}
        item["openSk"] = {"S": f"{iso(deletion.lease_until)}#{deletion.id}"}
    elif deletion.state == "erasing":
        item["openPk"] = {"S": open_shard("ERASING", deletion.id)}
        item["openSk"] = {"S": f"{deletion.created_at}#{deletion.id}"}
    return item


def read_header(item: dict[str, Any]) -> Deletion:
    """The deletion of a header as DynamoDB has it; what was not read is empty."""
    record = from_item(
        {key: value for key, value in item.items() if key not in ("ids", "outcomes")}
    )
    packed = item["outcomes"]["B"] if "outcomes" in item else b""
    return Deletion(
        id=record["sk"],
        workspace_id=record["pk"],
        mode=record["mode"],
        state=record["state"],
        actor=record["actor"],
        created_at=record["createdAt"],
        source_ip=record.get("sourceIp"),
        reason=record.get("reason"),
        completed_at=record.get("completedAt"),
        link_ids=unpack_ids(item["ids"]["B"]) if "ids" in item else [],
        outcomes=unpack_outcomes(packed) if packed else bytearray(),
        packed_outcomes=packed,
        counts=record.get("counts") or count(b""),
        id_chunks=record.get("idChunks", 0),
        filter_request=_selector(record.get("selector")),
        failure=record.get("failure"),
        lease=record.get("lease"),
        lease_until=record.get("leaseUntil", 0) / 1000,
        retention_days=record.get("retentionDays"),
        policies=record.get("policies", {}),
        export=record.get("export"),
        receipt=record.get("receipt"),
        ttl=record.get("ttl"),
    )


def adopt(deletion: Deletion, current: dict[str, Any]) -> None:
    """Replace the outcomes of a worker whose write was refused by those of the record.

    The record may be closed and its links restored by now, so the worker's own outcomes may be
    wrong. Outcomes that the record does not have yet are kept from the worker.
    """
    if not current:
        return
    record = read_header(current)
    if record.state == "accepted" or len(record.outcomes) != len(deletion.outcomes):
        return
    for position, outcome in enumerate(record.outcomes):
        if outcome != Outcome.PENDING:
            deletion.outcomes[position] = outcome
    deletion.packed_outcomes = record.packed_outcomes
    deletion.state, deletion.completed_at = record.state, record.completed_at
    deletion.failure, deletion.receipt = record.failure, record.receipt
