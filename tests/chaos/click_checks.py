"""Checks of clicks: each is counted once, and none was invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.run_data import FinishedRun, Violation


def clicks_are_counted_once(run: FinishedRun) -> Iterator[Violation]:
    """A link's count is the number of its counted clicks."""
    for link in run.facts.links.values():
        clicks = run.facts.counted_clicks.get(link.id, 0)
        if link.clicks != clicks:
            text = f"it has {clicks} clicks, and its count is {link.clicks}"
            yield Violation("other", link.id, text)


def clicks_were_requested(run: FinishedRun) -> Iterator[Violation]:
    """A link, or a receipt, has at most as many clicks as there were visits."""
    visits: Counter[str] = Counter()
    perhaps: Counter[str] = Counter()
    by_code: dict[str, list[str]] = {}
    for created in run.created.values():
        by_code.setdefault(created.code, []).append(created.id)
    for visit in run.history:
        if visit.kind != "redirect":
            continue
        if visit.status == 302:
            visits[run.events.link_of(visit.response) or ""] += 1
        elif visit.unknown:
            perhaps.update(by_code.get(visit.code or "", ()))
    for link in run.facts.links.values():
        yield from _compare(
            run, link.id, run.facts.clicks.get(link.id, 0), visits[link.id], perhaps[link.id]
        )
    for record in run.facts.records.values():
        erased = [each for each in record.ids("erased") if each in run.created]
        if record.receipt and len(erased) == len(record.ids("erased")):
            known, unknown = (sum(each[i] for i in erased) for each in (visits, perhaps))
            yield from _compare(run, record.id, record.receipt["clicks"], known, unknown)


def _compare(
    run: FinishedRun, subject: str, clicks: int, visits: int, perhaps: int
) -> Iterator[Violation]:
    if clicks > visits + perhaps:
        text = f"{clicks} clicks of {visits} answered and {perhaps} unanswered visits"
        yield Violation("other", subject, text)
    # A visitor does not wait for a click that cannot be written.
    if run.facts.fault_free and clicks < visits:
        yield Violation("other", subject, f"{clicks} clicks of {visits} answered visits")
