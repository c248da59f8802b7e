"""Proves, from a history and the final facts, that every promise was kept.

It uses none of the service's code: only the requests and responses of the clients, and the final
tables, buckets and API responses.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos import click_checks, link_checks, record_checks, response_checks
from tests.chaos.facts import Facts
from tests.chaos.history import Operation
from tests.chaos.run_data import FinishedRun, Violation

CHECKS = (
    record_checks.every_deletion_reached_its_end,
    record_checks.every_deletion_was_requested_once,
    record_checks.every_response_agrees_with_its_record,
    record_checks.counts_are_exact,
    record_checks.receipts_are_exact,
    record_checks.exports_are_whole,
    link_checks.every_link_has_a_valid_order,
    link_checks.every_link_was_created_once,
    link_checks.the_list_has_the_live_links,
    link_checks.nothing_is_left_of_an_erased_link,
    response_checks.no_redirect_is_stale,
    response_checks.no_workspace_saw_another,
    response_checks.repetitions_got_one_response,
    click_checks.clicks_are_counted_once,
    click_checks.clicks_were_requested,
)

#: How many operations an explanation has.
_SHOWN = 30


def check(history: list[Operation], facts: Facts) -> list[Violation]:
    """Every broken promise; an empty list proves this run."""
    run = FinishedRun(history, facts)

    def found() -> Iterator[Violation]:
        for each in CHECKS:
            yield from each(run)

    return list(found())


def explain(violation: Violation, history: list[Operation]) -> str:
    """A violation as text, with the operations on its subject."""
    lines = [f"{violation.fault}: {violation.subject}: {violation.text}"]
    touched = [
        each
        for each in history
        if each.token in violation.tokens
        or violation.subject in each.ids
        or violation.subject in each.path
    ]
    lines += [f"  {each}" for each in touched[:_SHOWN]]
    if len(touched) > _SHOWN:
        lines.append(f"  … and {len(touched) - _SHOWN} more")
    return "\n".join(lines)
