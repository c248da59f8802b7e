"""Background work is fair between workspaces: round robin in the schedule, groups in the queues."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import boto3
import pytest

from functions import container, service_stores
from functions.aws.sqs import Queue
from functions.domain.clock import current_deadline, iso
from functions.domain.deletion import Deletion
from functions.domain.fairness import take_turns
from functions.domain.ids import new_time_ordered_id
from functions.handlers import scheduler
from functions.repositories.erasing_deletions import Erasing as Stalled
from functions.services import sweep
from functions.services.requeue_deletion import requeue
from tests.conftest import World
from tests.support.api_gateway import Context
from tests.support.virtual_time import VirtualClock


def first(item: tuple[str, int]) -> str:
    return item[0]


def test_workspaces_take_turns_and_keep_their_own_order() -> None:
    items = [("a", n) for n in range(4)] + [("b", 0), ("c", 0), ("b", 1)]
    assert take_turns(items, first) == [
        ("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2), ("a", 3)
    ]  # fmt: skip
    assert take_turns([], first) == []


# -- queues -----------------------------------------------------------------------------------


def test_every_message_belongs_to_the_group_of_its_workspace(
    world: World, services_url: str
) -> None:
    sqs = boto3.client("sqs", endpoint_url=services_url)
    url = sqs.create_queue(QueueName=f"fair-{world.workspace_id}")["QueueUrl"]
    queue = Queue(sqs, url)
    for workspace_id in ("acme", "acme", "other"):
        queue.send({"workspaceId": workspace_id}, delay=0)

    # A standard queue delivers a group's messages at the same time.
    messages = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"]
    )["Messages"]
    groups = sorted(message["Attributes"]["MessageGroupId"] for message in messages)
    assert groups == ["acme", "acme", "other"]


def test_a_message_needs_a_workspace() -> None:
    with pytest.raises(KeyError):
        Queue(boto3.client("sqs"), "url").send({})


# -- the schedule -----------------------------------------------------------------------------


def open_deletion(world: World, workspace_id: str, *, expired_for: float) -> Deletion:
    """A deletion whose worker's lease expired this many seconds ago."""
    deletion_id = new_time_ordered_id()
    deletion = Deletion(
        id=deletion_id,
        workspace_id=workspace_id,
        mode="soft",
        state="deleting",
        actor={"keyId": "k", "userId": "u"},
        created_at=iso(time.time()),
        link_ids=["00000000-0000-4000-8000-000000000000"],
        outcomes=bytearray([0]),
        lease=deletion_id,
        lease_until=time.time() - expired_for,
    )
    world.stores.deletions.accept(deletion, key=None)
    return deletion


@pytest.fixture
def swept(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """The work of the schedule: workspace, deletion, seconds."""
    monkeypatch.setenv("EXPORTS_BUCKET", "exports")
    seen: list[tuple[str, str, float]] = []

    def note(workspace_id: str, deletion_id: str, _: Any) -> bool:
        seen.append((workspace_id, deletion_id, current_deadline().remaining()))
        return True

    monkeypatch.setattr(sweep, "resume_logged", note)
    monkeypatch.setattr(sweep, "finish_restores", lambda *_: None)
    monkeypatch.setattr(sweep, "requeue_stalled_erasures", lambda *_: None)
    return seen


def test_many_open_deletions_of_one_workspace_do_not_delay_another(
    world: World, swept: list[tuple[str, str, float]]
) -> None:
    noisy, quiet = f"{world.workspace_id}-noisy", f"{world.workspace_id}-quiet"
    for _ in range(130):
        open_deletion(world, noisy, expired_for=86_400)
    late = open_deletion(world, quiet, expired_for=1)

    scheduler.handler({}, Context(300))

    own = [(workspace, deletion) for workspace, deletion, _ in swept if workspace in (noisy, quiet)]
    # Its turn comes right after the first of the other's.
    assert own.index((quiet, late.id)) <= 1
    assert len(swept) <= sweep.SWEEP
    # No deletion uses the time of the others.
    assert all(seconds <= sweep.TURN_SECONDS for _, _, seconds in swept)


def test_slow_deletions_leave_time_for_restores_and_erasures(
    monkeypatch: pytest.MonkeyPatch, virtual_clock: VirtualClock
) -> None:
    """While the tables are slow each kind of work would use all of the run."""
    seconds: list[float] = []

    def slow(*_: Any) -> None:
        seconds.append(current_deadline().remaining())
        virtual_clock.pass_by(max(0.0, seconds[-1]))

    for stores in ("deletion_stores", "restore_stores"):
        monkeypatch.setattr(service_stores, stores, lambda: None)
    monkeypatch.setattr(container, "erase_queue", lambda: None)
    for work in ("finish_deletions", "finish_restores", "requeue_stalled_erasures"):
        monkeypatch.setattr(sweep, work, slow)

    scheduler.handler({}, Context(305))

    assert [round(each) for each in seconds] == [150, 75, 75]


def test_stalled_erasures_of_one_workspace_do_not_delay_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long_ago, seen = iso(time.time() - 86_400), []
    noisy = [Stalled(long_ago, "noisy", new_time_ordered_id()) for _ in range(300)]
    quiet = Stalled(iso(time.time() - 2 * sweep.STALLED_SECONDS), "quiet", new_time_ordered_id())
    fresh = Stalled(iso(time.time()), "fresh", new_time_ordered_id())

    class Stores:
        deletions = None

        class erasures:  # noqa: N801
            @staticmethod
            def erasing() -> list[Stalled]:
                return [*noisy, quiet, fresh]

    def requeue(workspace_id: str, deletion_id: str, **_: Any) -> int:
        seen.append(workspace_id)
        return 1

    monkeypatch.setattr(sweep, "requeue", requeue)

    sweep.requeue_stalled_erasures(Stores(), None)  # type: ignore[arg-type]

    assert seen[:2] == ["noisy", "quiet"]
    assert seen[2:] == ["noisy"] * (sweep.STALLED_SWEEP - 2)


def test_a_requeued_deletion_is_in_the_group_of_its_workspace(world: World) -> None:
    sent: list[dict[str, Any]] = []

    class Sqs:
        def send_message(self, **parameters: Any) -> dict[str, Any]:
            sent.append(parameters)
            return {}

    deletion = open_deletion(world, world.workspace_id, expired_for=-60)
    requeue(deletion, stores=replace(world.stores, resume_queue=Queue(Sqs(), "resume")))
    assert [each["MessageGroupId"] for each in sent] == [world.workspace_id]
