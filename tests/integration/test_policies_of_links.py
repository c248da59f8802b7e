"""The policies of a link's removal: those at the time of the last change that set its TTL.

A link is erased by its TTL in two ways: it was soft-deleted and its retention is over, or it is
live and expired some time ago. In both, what the erasure does with its code and its installs is
decided by the copy of the policies that travels with the link or with its soft delete.
"""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.domain.click_retention import click_retention_of
from functions.domain.clock import iso
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import new_short_code
from functions.domain.link import GRACE_SECONDS, Link
from functions.domain.policies import Policies
from functions.schemas.links import NewLink
from functions.services.restore import resume_restore
from functions.services.update_link import update_link
from tests.support.erasure import Erasing
from tests.support.faults import Killed, die
from tests.support.restores import bring_back, restore_stores
from tests.support.virtual_time import RunningClock

EXPIRES = "2027-01-01T00:00:00.000Z"
DAY = 86_400

#: How the link came to its last policies.
HISTORIES = ("created", "updated", "restored", "policy changed in between")


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize(
    ("retention", "purge", "quarantine", "cascade"),
    list(itertools.product([None, 30], [None, 7], [0, 10], [False, True])),
)
def test_a_links_ttl_follows_its_last_policies(
    erasing: Erasing,
    retention: int | None,
    purge: int | None,
    quarantine: int,
    cascade: bool,
    history: str,
) -> None:
    policies = Policies(
        retention_days=retention,
        purge_expired_after_days=purge,
        quarantine_days=quarantine,
        cascade_installs=cascade,
    )
    link = _link(erasing, policies, history)
    item = _item(erasing, link)

    assert item.ttl == (None if purge is None else _at(EXPIRES) + purge * DAY)
    if purge is not None:
        erasing.cleanup([erasing.expire(link.id)])
        _assert_ended(erasing, link, policies)
    elif retention is not None:
        deletion, _ = _soft_delete(erasing, link, policies)
        assert _item(erasing, link).ttl == int(_at(deletion.created_at)) + retention * DAY
        erasing.cleanup([erasing.expire(link.id)])
        _assert_ended(erasing, link, policies)
    else:
        _soft_delete(erasing, link, policies)
        assert _item(erasing, link).ttl is None


def _link(erasing: Erasing, policies: Policies, history: str) -> Link:
    """A live link with an install, whose policies were decided in this way."""
    # Remaining policies would be visible.
    before = Policies(
        purge_expired_after_days=1,
        quarantine_days=0 if policies.quarantine_days else 20,
        cascade_installs=not policies.cascade_installs,
    )
    first = {"created": policies, "updated": Policies(), "restored": policies}.get(history, before)
    code = new_short_code()
    expires = None if history == "updated" else datetime.fromisoformat(EXPIRES).astimezone(UTC)
    [link] = erasing.world.create_new(
        [NewLink(originalUrl="https://example.com/", shortCode=code, expiresAt=expires)],
        policies=first,
    )
    install = str(uuid.uuid4())
    erasing.put_beside(link.id, f"INSTALL#{EXPIRES}#{install}", id=install, platform="iOS")
    if history == "updated":
        update_link(
            link.id,
            {"expiresAt": EXPIRES},
            workspace_id=erasing.world.workspace_id,
            links=erasing.world.stores.links,
            policies=policies,
        )
    elif history != "created":
        deletion, _ = _soft_delete(erasing, link, first)
        bring_back(erasing.world, deletion.id, policies=policies.record())
    return link


def _soft_delete(erasing: Erasing, link: Link, policies: Policies) -> Any:
    return erasing.soft_delete(
        [link.id], retention_days=policies.retention_days, policies=policies.record()
    )


def _assert_ended(erasing: Erasing, link: Link, policies: Policies) -> None:
    erasing.work_all()
    own = erasing.world.last_deletion()
    assert own.state == "complete"
    assert own.actor == {"service": "retention"}
    assert erasing.receipt(own.id)["installs"] == int(policies.cascade_installs)
    code, links = link.short_code, erasing.world.stores.links
    claims = links.names.code_claims(erasing.world.workspace_id, [code])
    assert (claims[code] is None) == bool(policies.quarantine_days)
    assert links.names.code_claims("ws-other", [code]) == {code: None}


def _item(erasing: Erasing, link: Link) -> Link:
    return erasing.world.link(link.id)


def _at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def test_a_restore_drops_policies_that_the_workspace_removed(erasing: Erasing) -> None:
    link = _link(erasing, Policies(purge_expired_after_days=7), "created")
    deletion, _ = _soft_delete(erasing, link, Policies())

    bring_back(erasing.world, deletion.id)

    item = _item(erasing, link)
    assert (item.ttl, item.policies) == (None, None)


def test_a_restored_expired_link_gets_a_grace_period_in_the_response(erasing: Erasing) -> None:
    purging = Policies(purge_expired_after_days=2)
    links = [_link(erasing, Policies(), "created") for _ in range(3)]
    now = time.time()
    # Purged long ago, within the grace, after it.
    for link, expired_for in zip(links, (300, -4, -6), strict=True):
        update_link(
            link.id,
            {"expiresAt": iso(now - expired_for * DAY)},
            workspace_id=erasing.world.workspace_id,
            links=erasing.world.stores.links,
        )
    ids = [link.id for link in links]
    deletion, _ = erasing.soft_delete(ids)
    key = IdempotencyKey("once", "hash")

    done = bring_back(erasing.world, deletion.id, policies=purging.record(), key=key)

    grace_end = _at(done.restore.created_at) + GRACE_SECONDS
    assert done.restored_ids == ids
    assert done.refused == []
    assert done.to_be_purged == [{"id": each, "purgeAt": iso(grace_end)} for each in ids[:2]]
    assert [_item(erasing, link).ttl for link in links[:2]] == [grace_end] * 2
    assert _item(erasing, links[2]).ttl == int(now + 6 * DAY) + 2 * DAY
    assert done.restore.counts() == {"requested": 3, "restored": 3, "refused": 0}
    # A repeated request says the same.
    again = bring_back(erasing.world, deletion.id, policies=purging.record(), key=key)
    assert again.to_be_purged == done.to_be_purged


def test_an_update_with_every_field_leaves_a_restored_link_its_grace_period(
    erasing: Erasing,
) -> None:
    purging = Policies(purge_expired_after_days=2)
    link = _link(erasing, Policies(), "created")
    expired = iso(time.time() - 300 * DAY)
    world = erasing.world

    def change(title: str) -> None:
        update_link(
            link.id,
            {"title": title, "expiresAt": expired},
            workspace_id=world.workspace_id,
            links=world.stores.links,
            policies=purging,
        )

    change("before")
    # Never restored: purged at once.
    assert _item(erasing, link).ttl == _at(expired) + 2 * DAY
    deletion, _ = erasing.soft_delete([link.id])
    done = bring_back(world, deletion.id, policies=purging.record())

    change("after")

    item = _item(erasing, link)
    assert item.title == "after"
    assert item.ttl == _at(done.restore.created_at) + GRACE_SECONDS


@pytest.mark.parametrize("expires", [False, True], ids=["no purge", "with a purge"])
@pytest.mark.parametrize("kept", [None, 30, 365])
@pytest.mark.parametrize("before", [None, 15, 365])
def test_a_restored_link_takes_the_click_retention_of_its_workspace(
    erasing: Erasing, before: int | None, kept: int | None, expires: bool
) -> None:
    now = Policies(click_retention_days=kept, purge_expired_after_days=7 if expires else None)
    link = _link(erasing, Policies(click_retention_days=before), "created")
    deletion, _ = _soft_delete(erasing, link, Policies())
    assert click_retention_of(_item(erasing, link).click_retention_days) == before

    bring_back(erasing.world, deletion.id, policies=now.restore_record())

    item = _item(erasing, link)
    assert click_retention_of(item.click_retention_days) == kept
    # The default is kept as no attribute, as a create keeps it.
    assert (item.click_retention_days is not None) == (kept != 365)
    assert (item.ttl is not None, item.policies is not None) == (expires, expires)


def test_a_restore_finished_by_another_worker_keeps_its_click_retention(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    link = _link(erasing, Policies(), "created")
    deletion, _ = _soft_delete(erasing, link, Policies())
    stores = restore_stores(erasing.world)
    workspace_id = erasing.world.workspace_id
    asked = Policies(click_retention_days=30).restore_record()
    with monkeypatch.context() as patch:
        patch.setattr(erasing.world.stores.links.batches, "restore", die)
        with pytest.raises(Killed):
            bring_back(erasing.world, deletion.id, policies=asked)
    [begun] = stores.restores.of_deletion(workspace_id, deletion.id, limit=5)
    running_clock.pass_by(120)

    assert resume_restore(workspace_id, deletion.id, begun.id, stores=stores)

    assert click_retention_of(_item(erasing, link).click_retention_days) == 30
