"""Checks of each link: its order, its creation, its place in the list, and that nothing is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.register import Event, linearizable
from tests.chaos.run_data import Fault, FinishedRun, Violation

_REMOVALS = frozenset(("trash", "erase", "erase live"))


def every_link_has_a_valid_order(run: FinishedRun) -> Iterator[Violation]:
    """Each link's history has an order that explains every response and its final state."""
    for link_id in run.created:
        events = run.events.by_link[link_id]
        final = run.events.final(link_id)
        if linearizable([*events, final]):
            continue
        fault, text = _what_is_wrong(events, final)
        tokens = tuple(dict.fromkeys(event.token for event in events))
        yield Violation(fault, link_id, text, tokens)


def _what_is_wrong(events: list[Event], final: Event) -> tuple[Fault, str]:
    removed = any(event.action in _REMOVALS for event in events)
    if final.action != "saw live" and not removed:
        return "lost", "it is gone, and no deletion says that it removed it"
    if linearizable(events):
        if final.action == "saw live":
            if not removed:
                return "other", f"the last change is missing: its title is {final.value!r}"
            return "resurrected", "it is live in the end, which no order of the responses explains"
        return "lost", "it is not live in the end, which no order of the responses explains"
    return "other", "no order of the requests explains the responses"


def every_link_was_created_once(run: FinishedRun) -> Iterator[Violation]:
    """One link for each entry of a create, also if it was sent several times."""
    by_entry: dict[tuple[str, int], list[str]] = defaultdict(list)
    for created in run.created.values():
        by_entry[created.request.token, created.number].append(created.id)
    for (token, number), ids in by_entry.items():
        if len(ids) > 1:
            text = f"entry {number} of one create made {len(ids)} links"
            yield Violation("other", ids[0], text, (token,))
    for stored in run.facts.links.values():
        if stored.id not in run.created:
            yield Violation("other", stored.id, "no request created this link")


def the_list_has_the_live_links(run: FinishedRun) -> Iterator[Violation]:
    """The list of a workspace has its live links, each once."""
    for workspace, ids in run.facts.listed.items():
        live = {
            each.id
            for each in run.facts.links.values()
            if each.workspace == workspace and each.live
        }
        for link_id in live.difference(ids):
            yield Violation("lost", link_id, "it is live, and the list does not have it")
        for link_id in set(ids) - live:
            yield Violation("resurrected", link_id, "the list has it, and it is not live")
        if len(ids) != len(set(ids)):
            yield Violation("other", workspace, "its list has a link twice")


def nothing_is_left_of_an_erased_link(run: FinishedRun) -> Iterator[Violation]:
    """No item, object or code of an erased link remains."""
    for record in run.facts.records.values():
        for link_id in record.ids("erased"):
            tokens = (record.reason,)
            for place in run.facts.places.get(link_id, ()):
                yield Violation("residue", link_id, f"erased, and still in {place}", tokens)
            created = run.created.get(link_id)
            if created is not None and run.facts.codes.get(created.code) == link_id:
                text = f"erased, and its code {created.code} still points to it"
                yield Violation("residue", link_id, text, tokens)
    for stored in run.facts.links.values():
        if run.facts.codes.get(stored.code) != stored.id:
            text = f"its code {stored.code} does not point to it"
            yield Violation("lost", stored.id, text)
