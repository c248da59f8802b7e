"""The checker on hand-written histories: a correct one passes, each kind of fault is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker import check, explain
from tests.chaos.facts import Facts, Record, StoredLink
from tests.chaos.history import FOREVER, History, Kind, Operation
from tests.chaos.link_events import first_title
from tests.chaos.requests import url_of

WS = "ws-one"
OTHER = "ws-two"
ZERO = "00000000-0000-4000-8000-00000000000"


def link_id(number: int) -> str:
    return f"{ZERO}{number}"


def deletion(number: int) -> str:
    return f"01a2013c-632f-71c5-88ad-00000000000{number}"


class Story:
    """A small run: three links; one stays, one is deleted and restored, one is erased."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.facts = Facts(time=100.0, fault_free=True)
        self.links: dict[int, dict[str, Any]] = {}
        self.create("c1", [0, 1, 2], at=1)
        self.request("r1", "redirect", "GET", "/code0", at=3, response=self.url(0), code="code0")
        self.facts.clicks[link_id(0)] = self.facts.counted_clicks[link_id(0)] = 1
        self.soft("d1", [1], at=5, number=1)
        self.request("r2", "redirect", "GET", "/code1", at=7, status=404, code="code1")
        self.restore("x1", [1], at=9, number=1)
        self.request("r3", "redirect", "GET", "/code1", at=11, response=self.url(1), code="code1")
        self.facts.clicks[link_id(1)] = self.facts.counted_clicks[link_id(1)] = 1
        self.erase("e1", [2], at=13, number=2)
        self.request("g1", "get", "GET", f"/api/links/{link_id(2)}", at=15, status=404)
        for number in (0, 1):
            self.store(number)
        self.facts.codes = {"code0": link_id(0), "code1": link_id(1), "code2": None}
        self.facts.listed[WS] = [link_id(0), link_id(1)]

    def url(self, number: int) -> str:
        return url_of(WS, "c1", number)

    def store(self, number: int, **more: Any) -> None:
        """The link's item in the table; its clicks are counted."""
        clicks = self.facts.counted_clicks.get(link_id(number), 0)
        stored = StoredLink(
            id=link_id(number),
            workspace=WS,
            live=True,
            title=first_title("c1", number),
            code=f"code{number}",
            url=self.url(number),
            clicks=clicks,
        )
        self.facts.links[stored.id] = replace(stored, **more)

    def request(
        self, token: str, kind: Kind, method: str, path: str, *, at: float, **more: Any
    ) -> Operation:
        status = more.pop("status", 302 if kind == "redirect" else 200)
        end = FOREVER if status is None else at + 1
        given = {"workspace": WS, "end": end, "status": status} | more
        operation = Operation(token=token, kind=kind, begin=at, method=method, path=path, **given)
        self.operations.append(operation)
        return operation

    def create(self, token: str, numbers: list[int], *, at: float) -> None:
        links = [
            {
                "id": link_id(number),
                "originalUrl": url_of(WS, token, place),
                "title": first_title(token, place),
                "shortCode": f"code{number}",
                "tags": ["t"],
            }
            for place, number in enumerate(numbers)
        ]
        body = [{"tags": ["t"]} for _ in numbers]
        self.request(
            token, "create", "POST", "/api/links", at=at, body=body, response=links, status=201
        )

    def soft(self, token: str, numbers: list[int], *, at: float, number: int) -> Operation:
        ids = [link_id(each) for each in numbers]
        self.record(number, token, "soft", [(each, "deleted") for each in ids], at=at)
        return self.request(
            token,
            "soft",
            "DELETE",
            "/api/links",
            at=at,
            body=ids,
            ids=ids,
            key=token,
            response={"deletedIds": ids},
            deletion_id=deletion(number),
        )

    def restore(self, token: str, numbers: list[int], *, at: float, number: int) -> Operation:
        ids = [link_id(each) for each in numbers]
        record = self.facts.records[deletion(number)]
        results = tuple((each, "restored" if each in ids else out) for each, out in record.results)
        self.facts.records[record.id] = replace(
            record,
            results=results,
            counts=record.counts | {"restored": len(ids), "deleted": len(results) - len(ids)},
            restores=((token, "complete"),),
        )
        return self.request(
            token,
            "restore",
            "POST",
            f"/api/deletions/{deletion(number)}/restore",
            at=at,
            response={"restoredIds": ids, "refused": []},
            deletion_id=deletion(number),
        )

    def erase(self, token: str, numbers: list[int], *, at: float, number: int) -> Operation:
        ids = [link_id(each) for each in numbers]
        self.record(number, token, "erase", [(each, "erased") for each in ids], at=at)
        return self.request(
            token,
            "erase",
            "POST",
            "/api/links/bulk-delete",
            at=at,
            body={"ids": ids, "reason": token},
            ids=ids,
            response={"success": True, "deletedIds": ids, "notFoundIds": []},
            deletion_id=deletion(number),
        )

    def record(
        self, number: int, token: str, mode: str, results: list[tuple[str, str]], *, at: float
    ) -> None:
        receipt = {
            "links": len(results),
            "codes": len(results),
            "clicks": 0,
            "verifiedEmptyAt": "1970-01-01T00:00:50Z",
        }
        self.facts.headers[deletion(number)] = WS
        self.facts.records[deletion(number)] = Record(
            id=deletion(number),
            workspace=WS,
            mode=mode,
            state="complete",
            reason=token,
            results=tuple(results),
            counts={
                "requested": len(results),
                "deleted": len(results),
                "notFound": 0,
                "pending": 0,
                "restored": 0,
                "failed": 0,
            },
            created=at,
            completed=at + 1 if mode == "soft" else 60.0,
            receipt=receipt if mode == "erase" else None,
        )

    def change(self, number: int, **more: Any) -> None:
        """Change the record of a deletion."""
        record = self.facts.records[deletion(number)]
        self.facts.records[record.id] = replace(record, **more)

    @property
    def receipt(self) -> dict[str, Any]:
        """That of the erasure."""
        receipt = self.facts.records[deletion(2)].receipt
        assert receipt is not None
        return receipt

    def faults(self) -> set[str]:
        return {violation.fault for violation in check(self.operations, self.facts)}


def test_a_correct_run_passes() -> None:
    story = Story()
    assert check(story.operations, story.facts) == []


def without_response(operation: Operation) -> None:
    operation.status, operation.response, operation.end = None, None, FOREVER


def killed_delete_of_an_erased_link(story: Story, outcome: str) -> None:
    """Its worker is killed, a visit finds the link gone, and an erasure comes before the next."""
    without_response(story.soft("d3", [2], at=10, number=3))
    story.request("r9", "redirect", "GET", "/code2", at=11, status=404, code="code2")
    deleted = int(outcome == "deleted")
    counts = story.facts.records[deletion(3)].counts
    story.change(
        3,
        results=((link_id(2), outcome),),
        counts=counts | {"deleted": deleted, "notFound": 1 - deleted},
        completed=20.0,
    )


def test_a_killed_delete_has_deleted_a_link_that_is_erased_before_its_end() -> None:
    story = Story()
    killed_delete_of_an_erased_link(story, "deleted")
    assert check(story.operations, story.facts) == []


def killed_restore_of_a_deleted_link(story: Story, outcome: str) -> None:
    """Its worker is killed, and another request deletes the link before the next."""
    [restore] = [each for each in story.operations if each.kind == "restore"]
    without_response(restore)
    story.soft("d3", [1], at=20, number=3)
    story.store(1, live=False, deletion_id=deletion(3))
    story.facts.listed[WS].remove(link_id(1))
    restored = int(outcome == "restored")
    counts = story.facts.records[deletion(1)].counts
    story.change(
        1,
        results=((link_id(1), outcome),),
        counts=counts | {"restored": restored, "deleted": 1 - restored},
    )


def test_a_killed_restore_has_restored_a_link_that_is_deleted_before_its_end() -> None:
    story = Story()
    killed_restore_of_a_deleted_link(story, "restored")
    assert check(story.operations, story.facts) == []


def lost_link(story: Story) -> None:
    del story.facts.links[link_id(0)]
    story.facts.codes["code0"] = None
    story.facts.listed[WS].remove(link_id(0))


def lost_restore(story: Story) -> None:
    story.store(1, live=False, deletion_id=deletion(1))
    story.facts.listed[WS].remove(link_id(1))


def lost_from_the_list(story: Story) -> None:
    story.facts.listed[WS].remove(link_id(0))


def deleted_beyond_the_response(story: Story) -> None:
    story.operations[2].response = {"deletedIds": []}


def resurrected_after_erasure(story: Story) -> None:
    story.store(2)
    story.facts.codes["code2"] = link_id(2)
    story.facts.listed[WS].append(link_id(2))


def resurrected_by_a_late_update(story: Story) -> None:
    story.soft("d3", [0], at=20, number=3)


def restored_without_request(story: Story) -> None:
    story.change(1, restores=(("x1", "complete"), ("x9", "complete")))


def stale_redirect(story: Story) -> None:
    story.request("r9", "redirect", "GET", "/code2", at=30, response=story.url(2), code="code2")


def a_place_of_an_erased_link(story: Story) -> None:
    story.facts.places[link_id(2)] = [f"clicks {link_id(2)}#3 CLICK#1"]


def a_code_of_an_erased_link(story: Story) -> None:
    story.facts.codes["code2"] = link_id(2)


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lost_link, "lost"),
        (lost_restore, "lost"),
        (lost_from_the_list, "lost"),
        (deleted_beyond_the_response, "lost"),
        (resurrected_after_erasure, "resurrected"),
        (resurrected_by_a_late_update, "resurrected"),
        (restored_without_request, "resurrected"),
        (stale_redirect, "stale redirect"),
        (a_place_of_an_erased_link, "residue"),
        (a_code_of_an_erased_link, "residue"),
    ],
)
def test_each_fault_of_the_summary_is_found(break_it: Callable[[Story], None], fault: str) -> None:
    story = Story()
    break_it(story)
    assert fault in story.faults()


def unfinished(story: Story) -> None:
    story.change(2, state="erasing", completed=None)


def left_in_the_index(story: Story) -> None:
    story.facts.unfinished.append("a restore")


def without_an_outcome(story: Story) -> None:
    story.change(1, results=((link_id(1), "pending"),))


def wrong_counts(story: Story) -> None:
    story.facts.records[deletion(2)].counts["deleted"] = 2


def wrong_receipt(story: Story) -> None:
    story.receipt["links"] = 2


def receipt_before_the_deletion(story: Story) -> None:
    story.receipt["verifiedEmptyAt"] = "1970-01-01T00:00:01Z"


def clicks_twice(story: Story) -> None:
    story.store(0, clicks=2)


def clicks_of_no_visit(story: Story) -> None:
    story.facts.clicks[link_id(0)] = 5


def more_clicks_in_a_receipt(story: Story) -> None:
    story.receipt["clicks"] = 1


def deleted_without_request(story: Story) -> None:
    story.record(7, "unheard-of", "soft", [(link_id(0), "notFound")], at=20)


def more_than_was_asked(story: Story) -> None:
    record = story.facts.records[deletion(1)]
    story.change(1, results=(*record.results, (link_id(0), "notFound")))


def a_repetition_with_two_effects(story: Story) -> None:
    again = story.soft("d1", [1], at=5.5, number=3)
    assert again.key == "d1"


def a_create_that_made_two_links(story: Story) -> None:
    story.create("c1", [3], at=1.5)
    story.store(3, url=story.url(0), title=first_title("c1", 0))
    story.facts.codes["code3"] = link_id(3)
    story.facts.listed[WS].append(link_id(3))


def a_response_without_a_record(story: Story) -> None:
    del story.facts.records[deletion(1)], story.facts.headers[deletion(1)]


def a_killed_delete_that_denies_what_it_did(story: Story) -> None:
    killed_delete_of_an_erased_link(story, "notFound")


def a_killed_restore_that_denies_what_it_did(story: Story) -> None:
    killed_restore_of_a_deleted_link(story, "deleted")


def a_killed_restore_that_claims_what_it_did_not(story: Story) -> None:
    """No visit after it reaches the link, and it is in the trash of the first deletion."""
    killed_restore_of_a_deleted_link(story, "restored")
    story.operations[:] = [each for each in story.operations if each.token not in ("d3", "r3")]
    del story.facts.records[deletion(3)], story.facts.headers[deletion(3)]
    story.store(1, live=False, deletion_id=deletion(1))


def an_untrue_response(story: Story) -> None:
    story.change(2, results=((link_id(2), "notFound"),))


def an_untrue_restore(story: Story) -> None:
    story.change(1, results=((link_id(1), "deleted"),))


def a_missing_audit_record(story: Story) -> None:
    story.facts.headers[deletion(8)] = WS


def another_workspace_sees_it(story: Story) -> None:
    response = {"links": [{"id": link_id(0), "title": first_title("c1", 0)}]}
    story.request("l9", "list", "GET", "/api/links", at=20, workspace=OTHER, response=response)


def a_lost_update(story: Story) -> None:
    path = f"/api/links/{link_id(0)}"
    body = {"title": "u1"}
    story.request("u1", "update", "PUT", path, at=20, body=body, response=body)


def an_export_without_a_link(story: Story) -> None:
    operation = story.soft("d3", [0], at=20, number=3)
    operation.body = {"ids": [link_id(0)], "reason": "d3", "export": True}
    story.change(3, export=())
    story.store(0, live=False, deletion_id=deletion(3))
    story.facts.listed[WS].remove(link_id(0))


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (unfinished, "its state is erasing"),
        (left_in_the_index, "never finished"),
        (without_an_outcome, "1 ids have no outcome"),
        (wrong_counts, "its counts are"),
        (wrong_receipt, "its receipt is"),
        (receipt_before_the_deletion, "outside its deletion"),
        (clicks_twice, "its count is 2"),
        (clicks_of_no_visit, "5 clicks of 1 answered"),
        (more_clicks_in_a_receipt, "1 clicks of 0 answered"),
        (deleted_without_request, "no request asked for this deletion"),
        (more_than_was_asked, "not those of its request"),
        (a_repetition_with_two_effects, "one request made 2 deletions"),
        (a_create_that_made_two_links, "one create made 2 links"),
        (a_response_without_a_record, "has no record"),
        (a_killed_delete_that_denies_what_it_did, "no order of the requests"),
        (a_killed_restore_that_denies_what_it_did, "no order of the requests"),
        (a_killed_restore_that_claims_what_it_did_not, "no order of the responses"),
        (an_untrue_response, "1 ids were answered as deleted"),
        (an_untrue_restore, "1 ids were answered as restored"),
        (a_missing_audit_record, "the audit trail and the table differ"),
        (another_workspace_sees_it, "was answered"),
        (a_lost_update, "the last change is missing"),
        (an_export_without_a_link, "missing in its export"),
    ],
)
def test_each_other_fault_is_found(break_it: Callable[[Story], None], text: str) -> None:
    story = Story()
    break_it(story)
    assert [each for each in check(story.operations, story.facts) if text in each.text]


def test_requests_without_a_response_may_have_happened_or_not() -> None:
    story = Story()
    for attempt in story.operations[2], story.operations[6]:
        attempt.status, attempt.response, attempt.end = None, None, FOREVER
    assert check(story.operations, story.facts) == []
    # The link was restored by a restore whose response was lost.
    restored = story.operations[4]
    restored.status, restored.response, restored.end = 503, None, FOREVER
    assert check(story.operations, story.facts) == []


def test_a_redirect_is_not_stale_when_a_restore_may_have_come_first() -> None:
    story = Story()
    story.facts.fault_free = False
    story.soft("d3", [0], at=20, number=3)
    restored = story.restore("x3", [0], at=23, number=3)
    story.request("r9", "redirect", "GET", "/code0", at=23.5, response=story.url(0), code="code0")
    assert check(story.operations, story.facts) == []
    restored.begin = 40
    restored.end = 41
    assert "stale redirect" in story.faults()


def test_an_explanation_has_the_operations_that_touched_the_link() -> None:
    story = Story()
    stale_redirect(story)
    found = next(
        each for each in check(story.operations, story.facts) if each.fault == "stale redirect"
    )
    text = explain(found, story.operations)
    assert text.startswith(f"stale redirect: {link_id(2)}: ")
    assert "e1 POST /api/links/bulk-delete -> 200" in text
    assert "r9 GET /code2 -> 302" in text


def test_a_history_is_written_as_one_json_line_for_each_operation(tmp_path: Path) -> None:
    story = Story()
    story.operations[0].end = FOREVER
    path = tmp_path / "history.jsonl"
    History(story.operations).write(path)
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert written[0] == asdict(story.operations[0]) | {"end": None}
    assert written[1:] == [asdict(each) for each in story.operations[1:]]
