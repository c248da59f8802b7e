"""Every method of `unlink_client` against the deployed stack."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from local.demo_data import Workspace
from local.stack import LocalStack
from unlink_client import (
    AsyncUnlink,
    CodeTaken,
    InvalidIds,
    InvalidRequest,
    Link,
    MissingScopes,
    NewLink,
    NotFound,
    PlanIsInvalid,
    PlanIsStale,
    StillRunning,
    Unauthenticated,
    Unlink,
    UtmParameters,
    WrittenLink,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"

#: The methods that a test below has called.
_CALLED: set[str] = set()


@pytest.fixture
def unlink(stack: LocalStack, workspace: Workspace) -> Iterator[Unlink]:
    with Recording(stack.base_url, workspace.api_key) as client:
        yield client


@pytest.fixture
def administrator(stack: LocalStack, workspace: Workspace) -> Iterator[Unlink]:
    with Recording(stack.base_url, workspace.admin_key) as client:
        yield client


class Recording(Unlink):
    """A client that records which of its methods are called."""

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_"):
            _CALLED.add(name)
        return super().__getattribute__(name)


def test_links_are_created_listed_read_and_changed(unlink: Unlink) -> None:
    expires = datetime(2031, 1, 1, tzinfo=UTC)
    link = unlink.create(
        NewLink(
            original_url="https://example.com/é?a=1",
            title="Titel",
            tags=("one", "two"),
            utm_parameters=UtmParameters(source="poster"),
            external_id="crm-1",
            expires_at=expires,
            forward_query=False,
        )
    )
    assert link.expires_at == expires
    assert link.utm_parameters == UtmParameters(source="poster")
    assert unlink.link(link.short_code) == unlink.link(link.id) == link
    assert unlink.create("https://example.com/plain").title is None
    found = list(unlink.links(tag="one", is_active=True, external_id="crm-1"))
    assert found == [link]
    before = datetime.now(UTC) + timedelta(minutes=5)
    assert len(list(unlink.links(created_before=before, page_size=1))) == 2
    assert unlink.link_page(limit=1).next_cursor is not None
    changed = unlink.update(link.id, title=None, is_active=False, tags=["three"])
    assert isinstance(changed, Link)
    assert (changed.title, changed.is_active, changed.tags) == (None, False, ("three",))
    with pytest.raises(CodeTaken) as taken:
        unlink.create(NewLink(original_url="https://example.com/", short_code=link.short_code))
    assert taken.value.taken_codes == (link.short_code,)
    assert [(each.taken_by, each.link_id) for each in taken.value.taken] == [("live", link.id)]
    with pytest.raises(InvalidRequest, match="originalUrl"):
        unlink.create("nowhere")


def test_any_number_of_links_is_created(unlink: Unlink) -> None:
    new = [NewLink(original_url=f"https://example.com/{n}") for n in range(1_003)]
    created = list(unlink.create_all(new))
    assert [link.original_url for link in created] == [link.original_url for link in new]
    assert len(unlink.create_many(new[:2])) == 2


def test_a_write_only_key_gets_back_what_it_wrote(stack: LocalStack, administrator: Unlink) -> None:
    link = administrator.create("https://example.com/")
    key = administrator.issue_key("writer", ["linksWrite"])
    assert key.secret
    assert "secret" not in repr(key)
    with Unlink(stack.base_url, key.secret) as writer:
        written = writer.update(link.id, title="New")
        assert isinstance(written, WrittenLink)
        assert written.title == "New"
        with pytest.raises(MissingScopes) as missing:
            writer.link(link.id)
        assert missing.value.missing_scopes == ("linksRead",)
    assert key.key_id in [each.key_id for each in administrator.api_keys()]
    assert administrator.revoke_key(key.key_id).state == "revoked"


def test_images_and_analytics_are_read(unlink: Unlink) -> None:
    link = unlink.create("https://example.com/")
    assert unlink.qr(link.id).startswith(b"\x89PNG")
    assert unlink.qr(link.short_code, format="svg", size=300, color="1a237e").startswith(b"<")
    analytics = unlink.analytics(link.id, days=7)
    assert (analytics.days, analytics.total_clicks) == (7, 0)
    assert len(analytics.clicks_by_date) == 7
    begun = unlink.start_export(link.id)
    assert unlink.export(link.id, begun.id).id == begun.id
    assert unlink.wait_for_export(link.id, begun.id, timeout=60).url
    with pytest.raises(NotFound):
        unlink.record_install(link_id=UNKNOWN, platform="iOS")


def test_a_plan_deletes_its_set_or_nothing(
    stack: LocalStack, unlink: Unlink, other_workspace: Workspace
) -> None:
    link = unlink.create(NewLink(original_url="https://example.com/", tags=("tour",)))
    plan = unlink.plan(tag="tour", max_clicks=0, with_ids=True)
    assert (plan.count, plan.clicks, plan.ids) == (1, 0, (link.id,))
    with Unlink(stack.base_url, other_workspace.api_key) as other, pytest.raises(PlanIsInvalid):
        other.apply(plan)
    more = unlink.create(NewLink(original_url="https://example.com/", tags=("tour",)))
    with pytest.raises(PlanIsStale):
        unlink.apply(plan)
    plan = unlink.plan(tag="tour", max_clicks=0)
    deletion = unlink.apply(plan, reason="over").wait(timeout=60)
    assert (deletion.state, deletion.counts.deleted, deletion.reason) == ("complete", 2, "over")
    assert {each.id for each in deletion.outcomes()} == {link.id, more.id}
    # Sent again, it is the same delete.
    assert unlink.apply(plan, reason="over").id == deletion.id


def test_soft_deletes_are_listed_and_restored(unlink: Unlink, administrator: Unlink) -> None:
    ids = [unlink.create(f"https://example.com/{n}").id for n in range(3)]
    preview = unlink.preview([*ids, UNKNOWN])
    assert (preview.counts.deletable, preview.unknown_ids) == (3, (UNKNOWN,))
    with pytest.raises(InvalidIds) as invalid:
        unlink.delete([*ids, UNKNOWN])
    assert invalid.value.unknown_ids == (UNKNOWN,)
    deletion = unlink.delete(ids[:1], reason="one").wait(timeout=60)
    assert deletion.refresh() == unlink.deletion(deletion.id)
    (second,) = unlink.delete_all(ids[1:2])
    response = unlink.delete_links(ids[2:], reason="three")
    assert response.deleted_ids == (ids[2],)
    assert response.deletion_id is not None
    assert unlink.deletion_page(response.deletion_id, limit=1).reason == "three"
    audit = [each.id for each in unlink.deletions(mode="soft", state="complete")]
    assert audit[:3] == [response.deletion_id, second.id, deletion.id]
    trashed = {each.id: each for each in unlink.trash()}
    assert set(trashed) == set(ids)
    assert trashed[ids[0]].deletion_id == deletion.id
    with pytest.raises(MissingScopes):
        unlink.restore(deletion.id)
    assert administrator.restore(deletion.id).restored_ids == (ids[0],)
    assert administrator.deletion(second.id).restore(ids=ids[1:2]).restored_ids == (ids[1],)
    assert {each.id for each in unlink.links()} == set(ids[:2])


def test_links_are_erased(unlink: Unlink) -> None:
    one, two, three, four = (unlink.create(f"https://example.com/{n}") for n in range(4))
    assert unlink.erase_link(one.short_code, reason="gone") is not None
    erased = unlink.erase_links([two.id, UNKNOWN])
    assert (erased.success, erased.deleted_ids, erased.not_found_ids) == (
        True,
        (two.id,),
        (UNKNOWN,),
    )
    deletion = unlink.delete([three.id], erase=True)
    assert deletion.mode == "erase"
    assert [each.outcome for each in deletion.outcomes()] == ["erased"]
    matching = unlink.delete_matching(erase=True, created_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert matching.counts.requested == 1
    with pytest.raises(NotFound):
        unlink.link(four.id)


def test_a_repeated_request_is_answered_as_the_first(unlink: Unlink) -> None:
    link = unlink.create("https://example.com/", idempotency_key="create-1")
    assert unlink.create("https://example.com/", idempotency_key="create-1").id == link.id
    deletion = unlink.delete([link.id], idempotency_key="delete-1")
    try:
        assert unlink.delete([link.id], idempotency_key="delete-1").id == deletion.id
    except StillRunning as error:
        pytest.fail(f"the record of the first was not followed: {error.deletion_id}")


def test_the_caller_and_the_service_are_described(
    stack: LocalStack, unlink: Unlink, workspace: Workspace
) -> None:
    me = unlink.me()
    assert me.workspace_id == workspace.workspace_id
    assert "linksWrite" in me.scopes
    assert unlink.open_api()["openapi"] == "3.1.0"
    with Unlink(stack.base_url, "no-such-key") as stranger, pytest.raises(Unauthenticated):
        stranger.me()


def test_the_asynchronous_client_does_the_same(stack: LocalStack, workspace: Workspace) -> None:
    async def program() -> tuple[str, int]:
        async with AsyncUnlink(stack.base_url, workspace.api_key) as unlink:
            new = [NewLink(original_url="https://example.com/", tags=("async",))] * 3
            _ = [link async for link in unlink.create_all(new)]
            plan = await unlink.plan(tag="async")
            deletion = await (await unlink.apply(plan)).wait(timeout=60)
            return deletion.state, len([each async for each in deletion.outcomes()])

    # Not on this thread: the browser tests may have left a running loop on it.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, program()).result() == ("complete", 3)


def test_every_method_was_called() -> None:
    """Last in this file: the tests above call every method."""
    public = {
        name
        for name, _ in inspect.getmembers(Unlink, inspect.isfunction)
        if not name.startswith("_")
    }
    # Receipts are tested where an erasure comes to its end: test_signed_receipts.py.
    assert public - _CALLED - {"receipt", "jwks", "close", "send"} == set()
