"""`unlinkctl delete`, `plan` and `apply` against a service on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.fake_service import ME, Cut, FakeUnlink, Reply, Request
from tests.client.support import hoko
from unlink_client.cli.jobs import Jobs


def lines(ids: list[str]) -> bytes:
    return "".join(f"{each}\n" for each in ids).encode()


def cut_deletes(request: Request) -> None:
    """The connection is lost after a delete, before its response."""
    if request.deletes:
        raise Cut


def test_ids_from_stdin_are_deleted_in_chunks_of_ten_thousand(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ids = service.add(25_000)
    ran = unlinkctl("delete", "-", "--yes", "--reason", "over", stdin=lines(ids))
    assert ran.code == 0, ran.err
    assert ran.out == "Moved 25,000 links to the trash.\n"
    me, *deletes = service.requests
    assert me.path == "/api/me"
    assert [len(each.body["ids"]) for each in deletes] == [10_000, 10_000, 5_000]
    assert {each.body["reason"] for each in deletes} == {"over"}
    assert service.deleted == dict.fromkeys(ids, 1)


def test_a_smaller_plan_makes_smaller_chunks(service: FakeUnlink, unlinkctl: Run) -> None:
    service.max_ids = 100
    ids = service.add(250)
    assert unlinkctl("delete", "-", "--yes", stdin=lines(ids)).code == 0
    _, *deletes = service.requests
    assert [len(each.body["ids"]) for each in deletes] == [250, 100, 100, 50]
    assert len({each.key for each in deletes}) == 4
    assert service.deleted == dict.fromkeys(ids, 1)


def test_ndjson_has_a_line_for_each_id(service: FakeUnlink, unlinkctl: Run) -> None:
    ids = service.add(3)
    unknown = "00000000-0000-4000-8000-000000000000"
    ran = unlinkctl("delete", *ids, unknown, "--erase", "--yes", "-o", "ndjson")
    assert ran.code == 4
    outcomes = [json.loads(line) for line in ran.out.splitlines()]
    assert outcomes == [
        *({"id": each, "outcome": "erased"} for each in ids),
        {"id": unknown, "outcome": "notFound"},
    ]


def test_a_soft_delete_is_all_or_none_and_names_what_is_wrong(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ids = service.add(2)
    unknown = "00000000-0000-4000-8000-000000000000"
    ran = unlinkctl("delete", *ids, unknown, "--yes")
    assert ran.code == 4
    assert f"error: not deleted (3): not live links (1): {unknown}" in ran.err
    assert service.deleted == {}


def test_a_short_code_is_resolved(service: FakeUnlink, unlinkctl: Run) -> None:
    (link_id,) = service.add(1, shortCode="summer")
    assert unlinkctl("delete", "summer", "--yes").code == 0
    assert service.delete_requests[0].body["ids"] == [link_id]


@pytest.mark.parametrize("mode", [(), ("--erase",)])
def test_a_short_code_of_no_live_link_is_named(
    service: FakeUnlink, unlinkctl: Run, mode: tuple[str, ...]
) -> None:
    service.add(1, shortCode="summer")
    ran = unlinkctl("delete", "summer", "winter", "--yes", *mode)
    assert (ran.code, ran.out) == (4, "")
    assert "winter is not a live link" in ran.err
    assert service.delete_requests == []


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_a_dry_run_of_a_filter_has_the_requested_format(
    service: FakeUnlink, unlinkctl: Run, mode: str
) -> None:
    service.add(2, tags=["tour"])
    flags = ["--erase"] if mode == "erase" else []
    ran = unlinkctl("delete", "--tag", "tour", "--dry-run", "-o", "json", *flags)
    assert ran.code == 0
    preview = json.loads(ran.out)
    assert (preview["mode"], preview["counts"]["deletable"]) == (mode, 2)
    ran = unlinkctl("delete", "--tag", "tour", "--dry-run", *flags)
    assert "this was a dry run" in ran.err
    assert service.delete_requests == []


def test_a_dry_run_of_more_ids_than_the_plan_allows_is_divided(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    service.max_ids = 100
    unknown = "00000000-0000-4000-8000-000000000000"
    ids = [*service.add(250), unknown]
    ran = unlinkctl("delete", "-", "--dry-run", "-o", "json", stdin=lines(ids))
    assert ran.code == 0, ran.err
    counts = json.loads(ran.out)["counts"]
    assert counts == {"requested": 251, "deletable": 250, "unknown": 1, "invalid": 0}
    assert [len(each.body["ids"]) for each in service.requests] == [251, 100, 100, 51]


def test_a_dry_run_deletes_nothing(service: FakeUnlink, unlinkctl: Run) -> None:
    ids = service.add(2)
    ran = unlinkctl("delete", *ids, "--dry-run", "-o", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["counts"]["deletable"] == 2
    assert service.delete_requests == []


def test_without_a_terminal_and_yes_it_refuses_at_once(service: FakeUnlink, unlinkctl: Run) -> None:
    ids = service.add(1)
    for arguments in (("delete", *ids), ("delete", "--tag", "try"), ("apply", "no-such-file")):
        ran = unlinkctl(*arguments)
        assert ran.code == 2
        assert "--yes" in ran.err
    assert service.requests == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("delete",), 2),
        (("delete", "x", "--tag", "y", "--yes"), 2),
        (("delete", "--resume", "--tag", "y", "--yes"), 2),
        (("delete", "--resume", "--dry-run"), 2),
        (("delete", "--resume", "--erase"), 2),
        (("delete", "--tag", "y", "--dry-run", "-o", "ids"), 2),
        (("delete", "summer", "--dry-run", "-o", "ndjson"), 2),
        (("deletions", "x", "--state", "failed"), 2),
        (("deletions", "x", "--limit", "1"), 2),
        (("deletions", "x", "--created-after", "1d"), 2),
        (("deletions", "x", "--receipt", "-o", "json"), 2),
        (("plan",), 2),
        (("delete", "no way", "--yes"), 2),
        (("delete", "--created-before", "yesterday", "--yes"), 2),
        (("delete", "--created-before", "9999-12-31T23:59:59-14:00", "--yes"), 2),
        (("create", "https://example.com", "--title", "\udcff"), 1),
        (("create", "https://example.com", "--expires", "30d"), 2),
        (("create", "--csv", __file__, "--expires", "2030-12-31"), 2),
        (("create", "--csv", __file__, "--title", "x"), 2),
        (("import", "csv", __file__, "--rejects", "/none/rejects.csv"), 2),
        (("create", "--csv", __file__, "-o", "json"), 2),
        (("list", "--min-clicks", "-1"), 2),
    ],
)
def test_wrong_usage_sends_nothing(
    service: FakeUnlink, unlinkctl: Run, arguments: tuple[str, ...], code: int
) -> None:
    assert unlinkctl(*arguments).code == code
    assert service.requests == []


def test_without_an_interrupted_delete_nothing_is_resumed(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ran = unlinkctl("delete", "--resume")
    assert ran.code == 1
    assert "There is no interrupted delete of this workspace." in ran.err
    assert [each.path for each in service.requests] == ["/api/me"]


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not text"),
        (bytes(range(256)), "not text"),
        (b"0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11\nfoo bar\n", "line 2: 'foo bar'"),
        (b'id;"url"\n', "line 1"),
        (b"summer\n", "one link UUID a line"),
    ],
)
def test_what_is_no_list_of_ids_is_refused(
    service: FakeUnlink, unlinkctl: Run, stdin: bytes, message: str
) -> None:
    ran = unlinkctl("delete", "-", "--yes", stdin=stdin)
    assert ran.code == 2
    assert message in ran.err
    assert service.requests == []


def test_ids_may_have_spaces_quotes_a_bom_and_any_line_ends(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    ids = service.add(4)
    text = f"\ufeff\"{ids[0]}\"\r\n  {ids[1].upper()} ,\r\n\r\n'{ids[2]}'\r{ids[3]}\n{ids[0]}\n"
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode())
    assert unlinkctl("delete", f"@{path}", "--yes").code == 0
    assert service.delete_requests[0].body["ids"] == ids


def test_a_filter_deletes_the_set_that_was_counted(service: FakeUnlink, unlinkctl: Run) -> None:
    service.add(3, tags=["tour"], clickCount=0)
    service.add(1, tags=["tour"], clickCount=9)
    ran = unlinkctl("delete", "--tag", "tour", "--max-clicks", "0", "--confirm", "3")
    assert ran.code == 0, ran.err
    request = service.delete_requests[0]
    assert request.body["filter"] == {"tag": "tour", "maxClicks": 0}
    assert request.body["confirmationToken"]
    assert len(service.links) == 1


def test_another_count_than_confirmed_deletes_nothing(service: FakeUnlink, unlinkctl: Run) -> None:
    service.add(3, tags=["tour"])
    ran = unlinkctl("delete", "--tag", "tour", "--confirm", "2")
    assert ran.code == 3
    assert "it is 3 links" in ran.err
    assert service.delete_requests == []


def test_a_filter_that_matches_nothing_is_no_error(service: FakeUnlink, unlinkctl: Run) -> None:
    ran = unlinkctl("delete", "--tag", "nothing", "--yes")
    assert (ran.code, ran.out) == (0, "")
    assert service.delete_requests == []


def test_a_plan_is_a_file_and_applies_to_exactly_its_set(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    service.add(3, tags=["tour"])
    path = tmp_path / "tour.plan"
    ran = unlinkctl("plan", "--tag", "tour", "--erase", "-o", str(path))
    assert ran.code == 0
    assert "Links        3" in ran.out
    assert service.delete_requests == []
    assert path.stat().st_mode & 0o777 == 0o600
    ran = unlinkctl("apply", str(path), "--confirm", "3")
    assert (ran.code, ran.out) == (0, "Permanently erased 3 links.\n")
    assert service.links == {}


@pytest.fixture
def plan(service: FakeUnlink, unlinkctl: Run, tmp_path: Path) -> Path:
    """The plan to delete two links."""
    service.add(2, tags=["tour"])
    path = tmp_path / "tour.plan"
    unlinkctl("plan", "--tag", "tour", "-o", str(path))
    return path


def test_a_stale_plan_shows_the_change_and_deletes_nothing(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    first, second = service.links
    (third,) = service.add(1, tags=["tour"])
    del service.links[first]
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 5
    assert f"1 new ({third}), 1 gone ({first})" in " ".join(ran.err.split())
    assert service.delete_requests == []
    assert second in service.links


def test_a_set_that_changes_after_the_preview_deletes_nothing(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, plan: Path
) -> None:
    def before(request: Request) -> Reply | None:
        if request.deletes:
            service.add(1, tags=["tour"])
        return None

    service.before = before
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 5
    assert service.deleted == {}
    with Jobs(tmp_path / "state", service.url, "demo") as jobs:
        assert jobs.unfinished() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"count": 2', '"count": 1'), "changed after it was written"),
        (lambda text: text.replace("127.0.0.1", "127.0.0.2"), "changed after it was written"),
        (lambda _: "", "not JSON"),
        (lambda _: '{"ids": []}', "Not a plan"),
    ],
)
def test_a_tampered_plan_is_refused(
    service: FakeUnlink, unlinkctl: Run, plan: Path, change: Callable[[str], str], message: str
) -> None:
    plan.write_text(change(plan.read_text()))
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 1
    assert message in ran.err
    assert service.delete_requests == []


def test_a_plan_of_another_workspace_is_refused_before_anything_is_counted(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    service.requests.clear()
    service.before = lambda request: (
        (200, ME | {"workspaceId": "other"}, {}) if request.path == "/api/me" else None
    )
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 1
    assert "of the workspace demo, and this key is of other" in " ".join(ran.err.split())
    assert [each.path for each in service.requests] == ["/api/me"]


def test_a_token_of_another_workspace_is_refused(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    service.before = lambda request: (
        (400, hoko("Invalid request", details=["Invalid confirmationToken"]), {})
        if request.deletes
        else None
    )
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 1
    assert "not of this workspace" in ran.err
    assert service.deleted == {}


def test_a_plan_that_was_sent_before_a_kill_acts_once(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    service.after = cut_deletes
    ran = unlinkctl("apply", str(plan), "--yes")
    assert ran.code == 75
    service.after = lambda _: None
    ran = unlinkctl("apply", str(plan), "--yes")
    assert (ran.code, ran.out) == (0, "Moved 2 links to the trash.\n")
    assert set(service.deleted.values()) == {1}


def test_a_plan_is_not_applied_again_after_an_undo(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    """The service would give the first response again, and delete nothing."""
    assert unlinkctl("apply", str(plan), "--yes").out == "Moved 2 links to the trash.\n"
    assert unlinkctl("undo").out == "Restored 2 links.\n"
    ran = unlinkctl("apply", str(plan), "--yes")
    assert (ran.code, ran.out) == (5, "")
    [deletion] = service.deletions
    assert f"The plan was applied before, as deletion {deletion}." in ran.err
    assert len(service.delete_requests) == 1


def test_after_an_outage_a_delete_continues_where_it_stopped(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ids = service.add(25_000)
    gone: list[Request] = []

    def before(request: Request) -> Reply | None:
        if len(service.delete_requests) > 1:
            gone.append(request)
            return 503, hoko("Service temporarily unavailable"), {}
        return None

    service.before = before
    ran = unlinkctl("delete", "-", "--yes", stdin=lines(ids))
    assert ran.code == 75
    assert "unlinkctl delete --resume" in ran.err
    service.before = lambda _: None
    ran = unlinkctl("delete", "--resume")
    assert (ran.code, ran.out) == (0, "Moved 25,000 links to the trash.\n")
    assert service.deleted == dict.fromkeys(ids, 1)
    assert len({each.key for each in service.delete_requests}) == 3


def test_the_same_command_continues_too(service: FakeUnlink, unlinkctl: Run) -> None:
    ids = service.add(2)

    service.after = cut_deletes
    assert unlinkctl("delete", *ids, "--yes").code == 75
    service.after = lambda _: None
    # The links are gone already, but the service answers the same request as the first time.
    ran = unlinkctl("delete", *ids, "--yes")
    assert (ran.code, ran.out) == (0, "Moved 2 links to the trash.\n")
    assert set(service.deleted.values()) == {1}


def test_a_delete_with_an_export_does_not_continue_one_without(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ids = service.add(2)
    service.before = lambda request: (
        (503, hoko("Service temporarily unavailable"), {}) if request.deletes else None
    )
    assert unlinkctl("delete", *ids, "--erase", "--yes").code == 75
    service.before = lambda _: None
    assert unlinkctl("delete", *ids, "--erase", "--export", "--yes").code == 0
    assert service.delete_requests[-1].body["export"] is True


def test_a_plan_that_was_sent_without_an_export_is_not_continued_with_one(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    service.after = cut_deletes
    assert unlinkctl("apply", str(plan), "--yes").code == 75
    sent = len(service.delete_requests)
    ran = unlinkctl("apply", str(plan), "--export", "--yes")
    assert ran.code == 2
    assert "This plan was sent before without --export." in ran.err
    assert len(service.delete_requests) == sent


def test_a_plan_that_was_sent_elsewhere_with_another_reason_is_not_resumed(
    service: FakeUnlink, unlinkctl: Run, plan: Path
) -> None:
    service.before = lambda request: (
        (422, hoko("Idempotency-Key was used with a different request"), {})
        if request.deletes
        else None
    )
    assert unlinkctl("apply", str(plan), "--yes").code == 1
    assert "There is no interrupted delete" in unlinkctl("delete", "--resume").err


def test_a_finished_delete_can_be_requested_again(service: FakeUnlink, unlinkctl: Run) -> None:
    ids = service.add(1)
    assert unlinkctl("delete", *ids, "--yes").code == 0
    assert unlinkctl("undo").out == "Restored 1 link.\n"
    assert unlinkctl("delete", *ids, "--yes").code == 0
    assert service.deleted[ids[0]] == 2


def test_a_deletion_that_failed_is_not_continued(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlink_client.cli.deleting.time.sleep", lambda _: None)
    service.add(1)

    def after(_: Request) -> None:
        for record in service.deletions.values():
            record |= {"state": "failed", "failure": "too many links match"}

    service.after = after
    ran = unlinkctl("delete", "--tag", "try", "--yes")
    assert ran.code == 1
    assert "too many links match" in ran.err
    assert "There is no interrupted delete" in unlinkctl("delete", "--resume").err


def test_an_interrupted_delete_belongs_to_its_workspace(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    ids = service.add(1)
    service.after = cut_deletes
    assert unlinkctl("delete", *ids, "--yes").code == 75
    service.after = lambda _: None
    sent = len(service.delete_requests)

    service.workspace_id = "another"
    assert "There is no interrupted delete" in unlinkctl("delete", "--resume").err
    assert "No delete was made" in unlinkctl("undo").err
    assert len(service.delete_requests) == sent

    service.workspace_id = "demo"
    assert unlinkctl("delete", "--resume").code == 0
    assert unlinkctl("undo").out == "Restored 1 link.\n"
    assert service.deleted[ids[0]] == 1


def test_a_state_file_that_cannot_be_written_sends_nothing(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = service.add(1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNLINK_STATE_DIR", str(tmp_path / "file" / "below"))
    ran = unlinkctl("delete", *ids, "--yes")
    assert ran.code == 1
    assert "state file" in ran.err
    assert service.delete_requests == []


def test_a_request_without_a_response_a_day_ago_is_previewed_first(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = service.add(2)

    service.after = cut_deletes
    assert unlinkctl("delete", *ids, "--yes").code == 75
    service.after = lambda _: None
    service._answers.clear()
    monkeypatch.setattr("unlink_client.cli.jobs.KEY_LIFETIME", -1)
    assert unlinkctl("delete", "--resume").code == 0
    assert set(service.deleted.values()) == {1}


def test_undo_restores_the_links_of_the_last_delete(service: FakeUnlink, unlinkctl: Run) -> None:
    first, second = service.add(2)
    unlinkctl("delete", first, "--yes")
    unlinkctl("delete", second, "--yes")
    # Refused, so there is nothing of it to undo.
    assert unlinkctl("delete", second, "--yes").code == 4
    ran = unlinkctl("undo")
    assert (ran.code, ran.out) == (0, "Restored 1 link.\n")
    assert list(service.links) == [second]


def test_undo_restores_every_deletion_although_one_is_refused(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    service.max_ids = 2
    ids = service.add(5)
    unlinkctl("delete", "-", "--yes", stdin=lines(ids))
    del service.trash[ids[0]]
    ran = unlinkctl("undo")
    assert ran.code == 4
    assert ran.out == "Restored 1 link.\nRestored 2 links.\nRestored 1 link.\n"
    assert f"not restored (1): {ids[0]} (notInDeletion)" in ran.err
    assert sorted(service.links) == sorted(ids[1:])


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (None, "To undo it with a key that has linksRestore: unlinkctl undo"),
        ("2026-11-22T03:26:04.513Z", "To undo it until 2026-11-22 03:26 UTC: unlinkctl undo"),
    ],
)
def test_a_delete_says_who_may_undo_it(
    service: FakeUnlink, unlinkctl: Run, until: str | None, said: str
) -> None:
    def after(_: Request) -> None:
        for record in service.deletions.values():
            record["undoUntil"] = until

    service.after = after
    assert said in unlinkctl("delete", *service.add(1), "--yes").err


def test_a_delete_of_nothing_offers_no_undo(service: FakeUnlink, unlinkctl: Run) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for mode in ((), ("--erase",)):
        ran = unlinkctl("delete", unknown, "--yes", *mode)
        assert ran.code == 4
        assert "unlinkctl" not in ran.err
    assert "error: not links of the workspace: 1" in ran.err


def test_undo_without_a_delete_is_an_error(unlinkctl: Run) -> None:
    ran = unlinkctl("undo")
    assert ran.code == 1
    assert "No delete was made from this machine that can be undone." in ran.err


def test_an_export_is_waited_for_and_its_address_said(
    service: FakeUnlink, unlinkctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlink_client.cli.deleting.time.sleep", lambda _: None)
    ids = service.add(1)
    states = iter(["exporting", "deleting", "complete"])

    def after(_: Request) -> None:
        for record in service.deletions.values():
            record |= {
                "state": next(states, "complete"),
                "export": {"url": "https://bucket.example/file", "expiresAt": None},
            }

    service.after = after
    ran = unlinkctl("delete", *ids, "--export", "--yes")
    assert ran.code == 0
    assert service.delete_requests[0].body["export"] is True
    assert "\nhttps://bucket.example/file\n" in ran.err
