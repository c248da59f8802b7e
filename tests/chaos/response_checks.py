"""Checks of what clients saw: stale redirects, other workspaces, repetitions."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.history import Operation
from tests.chaos.link_events import links_in
from tests.chaos.run_data import FinishedRun, Violation

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def no_redirect_is_stale(run: FinishedRun) -> Iterator[Violation]:
    """After the response to a delete no visit reaches its links, unless a restore may have."""
    deleted: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for request in run.requests.of("soft", "erase one", "erase", "filter"):
        for attempt in request.successes:
            record = run.facts.records.get(attempt.deletion_id or "")
            for link_id in _answered_as_deleted(attempt, record.results if record else ()):
                deleted[link_id].append((request.begin, attempt.end, request.token))
    restored: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for request in run.requests.of("restore"):
        record = run.facts.records.get(request.attempts[0].deletion_id or "")
        if record is None or (not request.successes and not request.unknown):
            continue
        for link_id in request.attempts[0].ids or [each for each, _ in record.results]:
            restored[link_id].append((request.begin, request.end))
    for visit in run.history:
        if visit.kind != "redirect" or visit.status != 302:
            continue
        link_id = run.events.link_of(visit.response) or ""
        for began, answered, token in deleted[link_id]:
            maybe_restored = any(
                begin < visit.end and end > began for begin, end in restored[link_id]
            )
            if answered <= visit.begin and not maybe_restored:
                text = f"/{visit.code} still redirected after its delete was answered"
                yield Violation("stale redirect", link_id, text, (visit.token, token))
                break


def _answered_as_deleted(attempt: Operation, results: Any) -> list[str]:
    if attempt.kind == "erase one":
        return attempt.ids
    response = attempt.response if isinstance(attempt.response, dict) else {}
    if "deletedIds" in response:
        named: list[str] = response["deletedIds"]
        return named
    # The response shows a page of results; when it was 200, all of them had their outcome.
    if attempt.status != 200:
        return []
    return [link_id for link_id, outcome in results if outcome in ("deleted", "restored", "erased")]


def no_workspace_saw_another(run: FinishedRun) -> Iterator[Violation]:
    """No response has an id, a URL or a title of another workspace, unless the request named it."""
    owners = {link_id: created.workspace for link_id, created in run.created.items()}
    owners |= {record.id: record.workspace for record in run.facts.records.values()}
    workspaces = {each.workspace for each in run.history}
    for operation in run.history:
        if operation.response is None or operation.kind == "redirect":
            continue
        text = json.dumps(operation.response)
        asked = json.dumps(operation.body) + operation.path
        for found in set(_UUID.findall(text)):
            owner = owners.get(found, operation.workspace)
            if owner != operation.workspace and found not in asked:
                detail = f"{operation.workspace} was answered {found} of {owner}"
                yield Violation("other", found, detail, (operation.token,))
        for other in workspaces - {operation.workspace}:
            if other in text and other not in asked:
                detail = f"{operation.workspace} was answered data of {other}"
                yield Violation("other", other, detail, (operation.token,))


def repetitions_got_one_response(run: FinishedRun) -> Iterator[Violation]:
    """Every success of one Idempotency-Key names the same deletion, links, install or export."""
    for request in run.requests.by_token.values():
        keyed = [each for each in request.successes if each.key is not None]
        deletions = {each.deletion_id for each in keyed}
        # A 202 says less than the 200 that follows it.
        responses = {_essence(each) for each in keyed if each.status != 202}
        if len(deletions) > 1 or len(responses) > 1:
            text = f"one key was answered in several ways: {deletions}, {sorted(responses)[:2]}"
            yield Violation("other", request.token, text, (request.token,))


def _essence(attempt: Operation) -> str:
    """What all responses to one key have in common."""
    response = attempt.response
    if attempt.kind == "create":
        return " ".join(sorted(each["id"] for each in links_in(response)))
    if attempt.kind in ("install", "export"):
        return str(response.get("id"))
    if attempt.kind == "dry run":
        return json.dumps(response["counts"], sort_keys=True)
    lists = ("success", "deletedIds", "notFoundIds", "restoredIds")
    return json.dumps([response.get(name) for name in lists])
