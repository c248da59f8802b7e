"""Checks of deletions: each ended, was requested, agrees with its response, and counts exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.chaos.facts import Record
from tests.chaos.requests import Request
from tests.chaos.run_data import FinishedRun, Violation


def every_deletion_reached_its_end(run: FinishedRun) -> Iterator[Violation]:
    """Every accepted deletion and restore is finished, each id with an outcome."""
    for place in run.facts.unfinished:
        yield Violation("other", place, "it was accepted and never finished")
    for record in run.facts.records.values():
        if record.state not in ("complete", "failed"):
            text = f"its state is {record.state} after all faults have ended"
            yield Violation("other", record.id, text, (record.reason,))
        if pending := record.ids("pending"):
            text = f"{len(pending)} ids have no outcome, such as {pending[0]}"
            yield Violation("other", record.id, text, (record.reason,))
        for reason, state in record.restores:
            if state != "complete":
                text = f"its restore is {state} after all faults have ended"
                yield Violation("other", record.id, text, (reason,))
    for deletion_id in run.facts.headers.keys() ^ run.facts.records.keys():
        yield Violation("other", deletion_id, "the audit trail and the table differ about it")


def every_deletion_was_requested_once(run: FinishedRun) -> Iterator[Violation]:
    """Each deletion has one request, which named its links; each request has one deletion."""
    by_reason: dict[str, list[Record]] = {}
    for record in run.facts.records.values():
        by_reason.setdefault(record.reason, []).append(record)
    for reason, records in by_reason.items():
        request = run.requests.by_token.get(reason)
        if request is None or request.kind == "dry run":
            yield Violation("other", records[0].id, "no request asked for this deletion", (reason,))
            continue
        working = [each for each in records if each.ids("deleted", "restored", "erased")]
        keyed = request.attempts[0].key is not None
        if len(working) > 1 or (keyed and len(records) > 1):
            text = f"one request made {len(records)} deletions"
            yield Violation("other", records[0].id, text, (reason,))
        for record in records:
            yield from _only_what_was_asked(run, record, request)
            for restore, _ in record.restores:
                if restore not in run.requests.by_token:
                    text = "no request asked for its restore"
                    yield Violation("resurrected", record.id, text, (restore,))
            repeated = Counter(reason for reason, _ in record.restores)
            for restore, times in repeated.items():
                asked = run.requests.by_token.get(restore)
                if times > 1 and asked is not None and asked.attempts[0].key is not None:
                    text = f"one request made {times} restores"
                    yield Violation("other", record.id, text, (restore,))


def _only_what_was_asked(run: FinishedRun, record: Record, request: Request) -> Iterator[Violation]:
    listed = [link_id for link_id, _ in record.results]
    if request.kind != "filter":
        if listed != list(dict.fromkeys(request.attempts[0].ids)):
            text = "its ids are not those of its request, in its order"
            yield Violation("other", record.id, text, (request.token,))
        return
    tag = request.body["filter"]["tag"]
    # Links of a create without a response may be among them: no client knows their ids.
    strange = 0
    for link_id in listed:
        created = run.created.get(link_id)
        if created is None:
            strange += 1
        elif tag not in _tags(created.request, created.number):
            text = f"link {link_id} does not match its filter"
            yield Violation("lost", record.id, text, (request.token,))
    unanswered = sum(
        1
        for each in run.requests.of("create")
        if each.unknown and each.workspace == record.workspace
        for number in range(_entries(each))
        if tag in _tags(each, number)
    )
    if strange > unanswered:
        text = f"{strange} of its links were created by no request"
        yield Violation("other", record.id, text, (request.token,))


def _entries(create: Request) -> int:
    return len(create.body) if isinstance(create.body, list) else 1


def _tags(create: Request, number: int) -> list[str]:
    body = create.body[number] if isinstance(create.body, list) else create.body
    tags: list[str] = body.get("tags", [])
    return tags


def every_response_agrees_with_its_record(run: FinishedRun) -> Iterator[Violation]:
    """The response of a delete agrees with its record, and the record exists."""
    for request in run.requests.of("soft", "erase one", "erase", "filter"):
        for attempt in request.successes:
            record = run.facts.records.get(attempt.deletion_id or "")
            if record is None:
                text = f"answered {attempt.status}, and has no record"
                yield Violation("other", attempt.deletion_id or "?", text, (request.token,))
                continue
            response: Any = attempt.response
            recorded = set(record.ids("deleted", "restored", "erased"))
            reported = set(response.get("deletedIds", ()))
            if request.kind == "erase one":
                reported = set(attempt.ids)
            if not reported <= recorded:
                extra = len(reported - recorded)
                text = f"{extra} ids were answered as deleted, and its record differs"
                yield Violation("other", record.id, text, (request.token,))
            whole = attempt.status == 200 and "deletedIds" in response
            if whole and (more := recorded - reported):
                text = f"{len(more)} more ids are deleted than its response said"
                yield Violation("lost", record.id, text, (request.token,))
    for request in run.requests.of("restore"):
        for attempt in request.successes:
            record = run.facts.records.get(attempt.deletion_id or "")
            restored = set(attempt.response.get("restoredIds", ()))
            if record is None:
                continue
            outcomes = dict(record.results)
            wrong = [each for each in restored if outcomes.get(each) != "restored"]
            if wrong:
                text = f"{len(wrong)} ids were answered as restored, and its record differs"
                yield Violation("other", record.id, text, (request.token, record.reason))


def counts_are_exact(run: FinishedRun) -> Iterator[Violation]:
    """The counts of each deletion are those of its outcomes."""
    for record in run.facts.records.values():
        seen = Counter(outcome for _, outcome in record.results)
        expected = {
            "requested": len(record.results),
            "deleted": seen["deleted"] + seen["erased"],
            "notFound": seen["notFound"],
            "pending": seen["pending"],
            "restored": seen["restored"],
            "failed": seen["failed"],
        }
        if record.counts != expected:
            text = f"its counts are {record.counts}, and its outcomes {expected}"
            yield Violation("other", record.id, text, (record.reason,))


def receipts_are_exact(run: FinishedRun) -> Iterator[Violation]:
    """A receipt counts each erased link once, and was verified before it was written."""
    for record in run.facts.records.values():
        erased = record.ids("erased")
        if record.mode != "erase" or record.state != "complete" or not erased:
            continue
        receipt = record.receipt or {}
        if (receipt.get("links"), receipt.get("codes")) != (len(erased), len(erased)):
            text = f"it erased {len(erased)} links, and its receipt is {record.receipt}"
            yield Violation("other", record.id, text, (record.reason,))
        verified = receipt.get("verifiedEmptyAt")
        if verified is None or record.completed is None:
            yield Violation("other", record.id, "its receipt was not verified", (record.reason,))
        elif not record.created <= datetime.fromisoformat(verified).timestamp() <= record.completed:
            text = f"verified at {verified}, outside its deletion"
            yield Violation("other", record.id, text, (record.reason,))


def exports_are_whole(run: FinishedRun) -> Iterator[Violation]:
    """An export that comes before a delete has every deleted link once, with its own clicks."""
    for record in run.facts.records.values():
        request = run.requests.by_token.get(record.reason)
        body = request.body if request is not None else None
        if not isinstance(body, dict) or not body.get("export") or record.state == "failed":
            continue
        if not record.ids("deleted", "restored", "erased"):
            continue
        if record.export is None:
            yield Violation("lost", record.id, "its export is missing", (record.reason,))
            continue
        links = Counter(line["id"] for line in record.export if line["type"] == "link")
        missing = [each for each in record.ids("deleted", "restored", "erased") if not links[each]]
        if missing:
            text = f"{len(missing)} deleted links are missing in its export, such as {missing[0]}"
            yield Violation("lost", record.id, text, (record.reason,))
        if any(times > 1 for times in links.values()):
            yield Violation("other", record.id, "its export has a link twice", (record.reason,))
