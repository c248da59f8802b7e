"""`unlinkctl list`, `trash` and `deletions`: how many records they write, and one deletion."""

from __future__ import annotations

import json

import pytest

from tests.client.conftest import Run
from tests.client.fake_service import FakeUnlink

COUNT = 120


@pytest.fixture
def many(service: FakeUnlink) -> FakeUnlink:
    """More links, deletions and deleted links than a page or a table has."""
    service.add(COUNT)
    service.trash = {name: link | {"id": f"t-{name}"} for name, link in service.links.items()}
    for number in range(COUNT):
        service._record({"mode": "soft"}, [f"d-{number}"], [])
    return service


@pytest.mark.parametrize("command", ["list", "trash", "deletions"])
def test_data_is_complete_and_a_table_says_that_it_is_not(
    many: FakeUnlink, unlinkctl: Run, command: str
) -> None:
    ran = unlinkctl(command, "-o", "ids")
    assert len(set(ran.out.splitlines())) == COUNT
    assert ran.err == ""
    assert len(json.loads(unlinkctl(command, "-o", "json", "--limit", "7").out)) == 7

    ran = unlinkctl(command)
    assert len(ran.out.splitlines()) == 51
    assert ran.err == "The first 50; --limit or another format (-o ndjson) shows more.\n"
    ran = unlinkctl(command, "--limit", "3")
    assert (len(ran.out.splitlines()), ran.err) == (4, "")


@pytest.mark.parametrize(
    ("command", "said"),
    [("list", "No links."), ("trash", "The trash is empty."), ("deletions", "No deletions.")],
)
def test_a_table_of_nothing_is_a_message(unlinkctl: Run, command: str, said: str) -> None:
    assert (unlinkctl(command).out, unlinkctl(command).err) == ("", f"{said}\n")
    assert unlinkctl(command, "-o", "json").out == "[]\n"


def test_a_title_is_one_row_of_a_table(service: FakeUnlink, unlinkctl: Run) -> None:
    service.add(1, title="one\u2028two\nthree")
    assert len(unlinkctl("list").out.split("\n")) == 3


@pytest.mark.parametrize(
    ("mode", "state", "said"),
    [
        ("soft", "complete", "has no receipt: only an erasure has one"),
        ("erase", "failed", "has no receipt: it failed"),
    ],
)
def test_a_deletion_that_never_has_a_receipt_is_not_unknown(
    service: FakeUnlink, unlinkctl: Run, mode: str, state: str, said: str
) -> None:
    _, record, _ = service._record({"mode": mode}, ["a"], [])
    service.deletions[record["id"]] |= {"state": state}
    ran = unlinkctl("deletions", record["id"], "--receipt")
    assert (ran.code, ran.err) == (1, f"error: The deletion {record['id']} {said}\n")


def test_the_removed_records_are_counted_in_words(service: FakeUnlink, unlinkctl: Run) -> None:
    _, record, _ = service._record({"mode": "erase"}, ["a"], [])
    counts = {"links": 1, "codes": 1, "clicks": 1_200, "rollups": 3, "installs": 0}
    service.deletions[record["id"]] |= {
        "receipt": counts
        | {"installsKept": 0, "qrObjects": 1, "verifiedEmptyAt": "2026-11-22T03:13:04.100Z"}
    }
    ran = unlinkctl("deletions", record["id"])
    assert "1 link, 1 code, 1,200 clicks, 0 installs, 1 QR image\n" in ran.out


@pytest.mark.parametrize("option", ["--wait", "--watch"])
@pytest.mark.parametrize(("state", "code"), [("complete", 0), ("failed", 1)])
def test_the_wait_for_a_deletion_ends_with_its_state(
    service: FakeUnlink,
    unlinkctl: Run,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    state: str,
    code: int,
) -> None:
    monkeypatch.setattr("unlink_client.sync.deletion.time.sleep", lambda _: None)
    _, record, _ = service._record({"mode": "soft"}, ["a", "b"], [])
    service.deletions[record["id"]] |= {"state": "deleting"}
    states = iter(["deleting", "deleting", state])
    service.after = lambda _: service.deletions[record["id"]].update(state=next(states, state))
    ran = unlinkctl("deletions", record["id"], option)
    assert ran.code == code
    if option == "--watch":
        said = [f"{each}: 2 of 2 deleted, 0 pending" for each in ("deleting", state)]
        assert ran.err.splitlines()[:2] == said
    assert ("Outcome" in ran.out) is (code == 0)
