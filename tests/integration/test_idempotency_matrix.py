"""Every POST and DELETE route with all cases of an Idempotency-Key.

The rule: the same workspace, key, method, path and body get the same response for 24 hours,
independent of later changes of the links, the confirmation token or the plan. Another request with
the key gets 422. A running request gets 409, with its ``X-Deletion-Id`` if there is one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from functions import container
from functions.api import caller
from functions.api.route import Routes
from functions.aws import client as aws
from functions.aws.sqs import Queue
from functions.domain.clock import iso
from functions.domain.plans import plans
from functions.domain.policies import Policies
from functions.handlers import analytics, deletions, links
from functions.repositories.exports import ExportRecords, ExportsBucket
from functions.repositories.idempotency import IDEMPOTENCY_SECONDS, IdempotencyTable
from functions.repositories.installs import InstallsTable
from functions.repositories.link_erasures import LinkErasures
from functions.repositories.links import LinksTable
from functions.services import create_links as creating
from functions.services import delete_links as deleting
from functions.services import link_runs
from functions.services import restore as restore_service
from functions.services.export_lines import ExportStores
from tests.conftest import World, make_world
from tests.support.clicks import click
from tests.support.erasure import Erasing, FakeS3
from tests.support.faults import FaultyClient, Killed, kill_from
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.interleaving import interleave
from tests.support.restores import restore_stores
from tests.support.schedule import resume_deletions, resume_restores
from tests.support.shards import use_two_shards
from tests.support.virtual_time import RunningClock

pytestmark = pytest.mark.exhaustive

BASE = "http://short.test"
#: Fewer than in production: what matters is that an array takes several transactions.
LINKS_A_TRANSACTION = 3
UNKNOWN = "11111111-1111-4111-8111-111111111111"
ERRORS = {
    422: (
        "Idempotency-Key was used with a different request",
        "استُخدم مفتاح Idempotency-Key مع طلب مختلف",
    ),
    409: (
        "A request with this Idempotency-Key is still running",
        "لا يزال طلب بمفتاح Idempotency-Key هذا قيد التنفيذ",
    ),
}
PHRASES = {409: "Conflict", 422: "Unprocessable Content"}

Response = tuple[int, Any, dict[str, str]]


@dataclass(frozen=True)
class Case:
    """One request, its response, and the point where a parallel request may interfere."""

    module: Any
    route: str
    #: The exact body, with the generated ids, codes and times of the first response.
    expected: Callable[[Any], Any]
    #: The commit point, at which the same request is sent again.
    commits: tuple[Any, str]
    body: Any = None
    other: Any = None
    at: str | None = None
    status: int = 200
    #: The links that it names, besides those that it creates.
    ids: tuple[str, ...] = ()
    #: Whether the request can be observed running (several writes) or is one write.
    seen_running: bool = True

    @property
    def to_hoko(self) -> bool:
        return self.route == "DELETE /api/links" or "/api/deletions" in self.route

    @property
    def has_deletion(self) -> bool:
        return self.module is deletions and "dryRun" not in (self.body or ())


@dataclass
class Scene:
    """A new workspace, its requests, and the background work."""

    environment: dict[str, str]
    patch: pytest.MonkeyPatch
    clock: RunningClock
    world: World
    sent: list[dict[str, Any]] = field(default_factory=list)
    s3: FakeS3 = field(default_factory=FakeS3)

    def ask(self, case: Case, key: str | None = "k", **changed: Any) -> Response:
        given: dict[str, Any] = {"at": case.at, "body": case.body, "key": key}
        reply = self.world.send(case.module, case.route, **given | changed)
        names = ("X-Deletion-Id", "Location")
        headers = {name: reply.headers[name] for name in names if name in reply.headers}
        return reply.status, reply.json(), headers

    def counts(self) -> dict[str, int]:
        """The number of items of each kind, which a repeated request must not change."""
        world, workspace_id = self.world, self.world.workspace_id
        records, _ = world.stores.deletions.newest(workspace_id, limit=100, before=None)
        table = restore_stores(world).restores
        restores = [
            each
            for record in records
            for each in table.of_deletion(workspace_id, record.id, limit=100)
        ]
        kinds = [
            item["sk"]["S"].partition("#")[0]
            for item in world.stored(world.clicks.name)
            if item.get("workspaceId", {}).get("S") == workspace_id
        ]
        return {
            "live": len(world.live_ids()),
            "deletions": len(records),
            "restores": len(restores),
            "installs": kinds.count("INSTALL"),
            "exports": kinds.count("EXPORT"),
        }

    def recover(self) -> None:
        """The schedule's run after leases have expired."""
        world = self.world
        bucket = ExportsBucket(self.s3, "exports")
        exports = ExportStores(links=world.stores.links, clicks=world.clicks, bucket=bucket)
        resume_deletions(world, replace(world.stores, exports=exports))
        resume_restores(world)

    def soft_delete(self, ids: list[str]) -> None:
        live = [link_id for link_id in ids if self.world.live(link_id)]
        if live:
            self.world.soft_delete(live)

    def erase(self, ids: list[str], images: dict[str, Any]) -> None:
        """Erase these links and run the purge."""
        erasing = Erasing(self.world, self.environment, s3=self.s3)
        records = [
            erasing.record("REMOVE", link_id, image)
            for link_id, image in images.items()
            if image is not None and not self.world.exists(link_id)
        ]
        if left := [link_id for link_id in ids if self.world.exists(link_id)]:
            records += erasing.erase(left)[1]
        self.sent.clear()
        erasing.cleanup(records)
        assert sum(len(message["links"]) for message in self.sent) == len(ids)
        while self.sent:
            assert erasing.work(self.sent.pop(0))
        assert not any(self.world.exists(link_id) for link_id in ids)
        assert not any(erasing.left_of(link_id) for link_id in ids)

    def images(self, ids: list[str]) -> dict[str, Any]:
        erasing = Erasing(self.world, self.environment)
        return {link_id: erasing.image_of(link_id) for link_id in ids}


@pytest.fixture
def scene(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> Scene:
    monkeypatch.setenv("EXPORTS_BUCKET", "exports")
    monkeypatch.setenv("EXPORT_QUEUE_URL", "list")
    use_two_shards(monkeypatch)
    for module in (creating, link_runs):
        monkeypatch.setattr(module, "LINKS_A_TRANSACTION", LINKS_A_TRANSACTION)
    container.reset()
    made = Scene(deployed, monkeypatch, running_clock, make_world(deployed))

    def sent(_: Queue, message: dict[str, Any], **__: Any) -> None:
        made.sent.append(message)

    monkeypatch.setattr(Queue, "send", sent)
    return made


# -- the routes ------------------------------------------------------------------------------


def _link(scene: Scene, made: Any, place: int = 0) -> dict[str, Any]:
    """The link as it was created, with the generated values of the first response."""
    return {
        "id": made["id"],
        "workspaceId": scene.world.workspace_id,
        "userId": "tester",
        "shortCode": made["shortCode"],
        "shortUrl": f"{BASE}/{made['shortCode']}",
        "originalUrl": f"https://example.com/{place}",
        "title": "Spring",
        "description": None,
        "tags": ["a"],
        "iosUrl": None,
        "androidUrl": None,
        "webFallbackUrl": None,
        "utmParameters": {"source": "mail"},
        "forwardQuery": True,
        "externalId": f"crm-{place}",
        "expiresAt": None,
        "isActive": True,
        "clickCount": 0,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }


def _new_link(place: int = 0) -> dict[str, Any]:
    return {
        "originalUrl": f"https://example.com/{place}",
        "title": "Spring",
        "tags": ["a"],
        "utmParameters": {"source": "mail"},
        "externalId": f"crm-{place}",
    }


def create_link(scene: Scene) -> Case:
    return Case(
        links,
        "POST /api/links",
        lambda made: _link(scene, made),
        (LinksTable, "create"),
        body=_new_link(),
        other=_new_link() | {"title": "Summer"},
        status=201,
    )


def create_links(scene: Scene) -> Case:
    """Of three transactions."""
    many = [_new_link(place) for place in range(2 * LINKS_A_TRANSACTION + 1)]
    return Case(
        links,
        "POST /api/links",
        lambda made: [_link(scene, each, place) for place, each in enumerate(made)],
        (LinksTable, "create"),
        body=many,
        other=many[1:],
        status=201,
    )


def delete_links(scene: Scene) -> Case:
    ids = scene.world.create(3)
    return Case(
        deletions,
        "DELETE /api/links",
        lambda _: {"deletedIds": ids},
        (deleting, "run"),
        body=ids,
        other=ids[:2],
        ids=tuple(ids),
    )


def delete_link(scene: Scene) -> Case:
    [link] = scene.world.create_items()
    return Case(
        deletions,
        "DELETE /api/links/{id}",
        lambda _: {"success": True},
        (LinkErasures, "apply"),
        at=link.short_code,
        other={"surprise": True},
        ids=(link.id,),
        seen_running=False,
    )


def bulk_delete(scene: Scene) -> Case:
    ids = scene.world.create(2)
    return Case(
        deletions,
        "POST /api/links/bulk-delete",
        lambda _: {"success": True, "deletedIds": ids, "notFoundIds": [UNKNOWN, "nonsense"]},
        (deleting, "run"),
        body={"ids": [*ids, UNKNOWN, "nonsense"]},
        other={"ids": ids},
        ids=tuple(ids),
    )


def _deletion(first: Any, ids: list[str], outcome: str, **more: Any) -> dict[str, Any]:
    counts = {"requested": 0, "deleted": 0, "notFound": 0, "pending": 0, "restored": 0, "failed": 0}
    return {
        "id": first["id"],
        "mode": "soft",
        "state": "complete",
        "reason": None,
        "actor": {"keyId": first["actor"]["keyId"], "userId": first["actor"]["userId"]},
        "sourceIp": first["sourceIp"],
        "createdAt": first["createdAt"],
        "completedAt": first["completedAt"],
        "counts": counts | {"requested": len(ids), "deleted": len(ids)},
        "filter": None,
        "failure": None,
        "receipt": None,
        "export": None,
        "undoUntil": _quarter_of_an_hour_after(first["completedAt"]),
        "results": [{"id": each, "outcome": outcome} for each in ids],
        "nextCursor": None,
    } | more


def _quarter_of_an_hour_after(at: str | None) -> str | None:
    """The default of the policy ``undoMinutes``."""
    return iso(datetime.fromisoformat(at).timestamp() + 15 * 60) if at else None


def deletion_by_ids(scene: Scene) -> Case:
    ids = scene.world.create(2)
    return Case(
        deletions,
        "POST /api/deletions",
        lambda first: _deletion(first, ids, "deleted"),
        (deleting, "run"),
        body={"ids": ids},
        other={"ids": ids, "mode": "erase"},
        ids=tuple(ids),
    )


def erasure_by_ids(scene: Scene) -> Case:
    ids = scene.world.create(2)
    more = {
        "mode": "erase",
        "state": "erasing",
        "completedAt": None,
        "undoUntil": None,
        "notFoundIds": ["nonsense"],
    }
    return Case(
        deletions,
        "POST /api/deletions",
        lambda first: _deletion(first, ids, "erased", **more),
        (deleting, "run"),
        body={"ids": [*ids, "nonsense"], "mode": "erase"},
        other={"ids": ids, "mode": "erase"},
        ids=tuple(ids),
    )


def deletion_by_filter(scene: Scene) -> Case:
    ids = scene.world.create(2, tags=["spring"])[::-1]
    asked = {"filter": {"tag": "spring"}}
    body = asked | {"dryRun": True}
    _, dry_run = scene.world.call(deletions, "POST /api/deletions", body=body)
    return Case(
        deletions,
        "POST /api/deletions",
        lambda first: _deletion(first, ids, "deleted", **asked),
        (deleting, "run"),
        body=asked | {"confirmationToken": dry_run["confirmationToken"]},
        other=asked,
        ids=tuple(ids),
    )


def restore(scene: Scene) -> Case:
    ids = scene.world.create(2)
    deleted = scene.world.soft_delete(ids)
    return Case(
        deletions,
        "POST /api/deletions/{id}/restore",
        lambda _: {
            "restoredIds": ids,
            "refused": [
                {"id": UNKNOWN, "reason": "notInDeletion"},
                {"id": "nonsense", "reason": "notInDeletion"},
            ],
        },
        (restore_service, "_run"),
        at=deleted.id,
        body={"ids": [*ids, UNKNOWN, "nonsense"]},
        other={"ids": ids},
        ids=tuple(ids),
    )


def _dry_run_by_ids(scene: Scene, mode: str) -> Case:
    first, second = scene.world.create(2)
    scene.soft_delete([second])
    unknown = [UNKNOWN] if mode == "erase" else [second, UNKNOWN]
    body = {"ids": [first, second, UNKNOWN, "nonsense"], "mode": mode, "dryRun": True}
    return Case(
        deletions,
        "POST /api/deletions",
        lambda _: {
            "dryRun": True,
            "mode": mode,
            "counts": {
                "requested": 4,
                "deletable": 3 - len(unknown),
                "unknown": len(unknown),
                "invalid": 1,
            },
            "clicks": 0,
            "lastClickAt": None,
            "unknownIds": unknown,
            "invalidIds": ["nonsense"],
        },
        (IdempotencyTable, "claim"),
        body=body,
        other=body | {"dryRun": False},
        ids=(first, second),
        seen_running=False,
    )


def dry_run_by_filter(scene: Scene) -> Case:
    world = scene.world
    [clicked, other] = world.create(2, tags=["spring"])
    clicked_at = "2026-01-01T00:00:00.000Z"
    world.dynamodb.update_item(
        TableName=world.stores.links.name,
        Key=world.link_key(clicked),
        UpdateExpression="SET clickCount=:three, lastClickAt=:at",
        ExpressionAttributeValues={":three": {"N": "3"}, ":at": {"S": clicked_at}},
    )
    body = {"filter": {"tag": "spring"}, "dryRun": True}
    return Case(
        deletions,
        "POST /api/deletions",
        lambda first: {
            "dryRun": True,
            "mode": "soft",
            "counts": {"requested": 2, "deletable": 2, "unknown": 0, "invalid": 0},
            "clicks": 3,
            "lastClickAt": clicked_at,
            "unknownIds": [],
            "invalidIds": [],
            "confirmationToken": first["confirmationToken"],
        },
        (IdempotencyTable, "claim"),
        body=body,
        other={"filter": {"tag": "summer"}, "dryRun": True},
        ids=(clicked, other),
        seen_running=False,
    )


def install(scene: Scene) -> Case:
    [link] = scene.world.create_items()
    visit = click(scene.world, link.id, at=time.time() - 60)
    body = {"linkId": link.short_code, "platform": "iOS", "deviceId": "device-1"}
    return Case(
        analytics,
        "POST /api/installs",
        lambda first: {
            "id": first["id"],
            "linkId": link.id,
            "clickId": visit["id"],
            "platform": "iOS",
            "deviceId": "device-1",
            "appVersion": None,
            "installedAt": first["createdAt"],
            "createdAt": first["createdAt"],
        },
        (InstallsTable, "record"),
        body=body,
        other=body | {"platform": "Android"},
        status=201,
        ids=(link.id,),
        seen_running=False,
    )


def install_by_click(scene: Scene) -> Case:
    [link_id] = scene.world.create()
    at = int(time.time()) - 60
    visit = click(scene.world, link_id, at=at)
    body = {"clickId": visit["id"], "installedAt": iso(at + 30), "appVersion": "1.2"}
    return Case(
        analytics,
        "POST /api/installs",
        lambda first: {
            "id": first["id"],
            "linkId": link_id,
            "clickId": visit["id"],
            "platform": "other",
            "deviceId": None,
            "appVersion": "1.2",
            "installedAt": iso(at + 30),
            "createdAt": first["createdAt"],
        },
        (InstallsTable, "record"),
        body=body,
        other=body | {"appVersion": "1.3"},
        status=201,
        ids=(link_id,),
        seen_running=False,
    )


def export(scene: Scene) -> Case:
    [link] = scene.world.create_items()
    return Case(
        analytics,
        "POST /api/analytics/links/{id}/export",
        lambda first: {
            "id": first["id"],
            "linkId": link.id,
            "state": "pending",
            "failure": None,
            "url": None,
            "expiresAt": None,
            "createdAt": first["createdAt"],
        },
        (ExportRecords, "create"),
        at=link.short_code,
        other={"surprise": True},
        status=202,
        ids=(link.id,),
        seen_running=False,
    )


ROUTES: dict[str, Callable[[Scene], Case]] = {
    "POST /api/links one": create_link,
    "POST /api/links array": create_links,
    "DELETE /api/links": delete_links,
    "DELETE /api/links/{id}": delete_link,
    "POST /api/links/bulk-delete": bulk_delete,
    "POST /api/deletions ids": deletion_by_ids,
    "POST /api/deletions erase": erasure_by_ids,
    "POST /api/deletions filter": deletion_by_filter,
    "POST /api/deletions dryRun ids": partial(_dry_run_by_ids, mode="soft"),
    "POST /api/deletions dryRun erase": partial(_dry_run_by_ids, mode="erase"),
    "POST /api/deletions dryRun filter": dry_run_by_filter,
    "POST /api/deletions/{id}/restore": restore,
    "POST /api/installs": install,
    "POST /api/installs by click": install_by_click,
    "POST /api/analytics/links/{id}/export": export,
}

every_route = pytest.mark.parametrize("route", ROUTES)


def links_of(case: Case, response: Any) -> list[str]:
    """The links that a request named or created."""
    if case.module is not links:
        return list(case.ids)
    return [each["id"] for each in (response if isinstance(response, list) else [response])]


def refusal(case: Case, status: int) -> dict[str, Any]:
    english, arabic = ERRORS[status]
    if case.to_hoko:
        return {"error": {"en": english, "ar": arabic}}
    return {"statusCode": status, "error": PHRASES[status], "message": english}


def ask_first(scene: Scene, case: Case) -> Response:
    """The first request: it is answered exactly, and names its deletion."""
    status, body, headers = scene.ask(case)
    assert (status, body) == (case.status, case.expected(body))
    assert ("X-Deletion-Id" in headers) is case.has_deletion
    return status, body, headers


# -- the table -------------------------------------------------------------------------------


@every_route
def test_a_repeated_request_gets_the_same_response_and_another_body_is_refused(
    scene: Scene, route: str
) -> None:
    case = ROUTES[route](scene)
    first = ask_first(scene, case)
    counts = scene.counts()

    assert scene.ask(case) == first
    assert scene.ask(case, body=case.other) == (422, refusal(case, 422), {})
    assert scene.ask(case) == first
    assert scene.counts() == counts


@every_route
def test_the_key_on_another_route_is_refused_and_changes_nothing(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    others = [each for name, each in ROUTES.items() if name != route]
    first = ask_first(scene, case)

    for prepare in others:
        other = prepare(scene)
        counts = scene.counts()
        assert scene.ask(other) == (422, refusal(other, 422), {})
        assert scene.counts() == counts
    assert scene.ask(case) == first


@every_route
def test_the_same_response_after_the_links_were_deleted(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    first = ask_first(scene, case)
    scene.soft_delete(links_of(case, first[1]))
    counts = scene.counts()

    assert scene.ask(case) == first
    assert scene.counts() == counts


@every_route
def test_the_same_response_after_the_links_were_erased(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    images = scene.images(list(case.ids))
    first = ask_first(scene, case)
    scene.erase(links_of(case, first[1]), images)
    counts = scene.counts()

    status, body, headers = first
    if route == "POST /api/installs":
        # The click was found by attribution and is erased, so its id is unknown.
        body = body | {"clickId": None}
    assert scene.ask(case) == (status, body, headers)
    assert scene.counts() == counts


@every_route
def test_the_same_response_after_the_confirmation_expired_and_the_plan_shrank(
    scene: Scene, route: str
) -> None:
    case = ROUTES[route](scene)
    first = ask_first(scene, case)
    scene.clock.pass_by(3_720)
    smaller = plans() | {"free": replace(plans()["free"], max_ids=1)}
    scene.patch.setattr(caller, "plans", lambda: smaller)

    assert scene.ask(case, plan="free") == first


@every_route
def test_a_running_request_is_a_conflict_that_names_its_deletion(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    owner, name = case.commits
    concurrent = interleave(scene.patch, owner, name, before=lambda: scene.ask(case))
    first = ask_first(scene, case)

    if case.seen_running:
        about = {"X-Deletion-Id": first[2]["X-Deletion-Id"]} if case.has_deletion else {}
        assert concurrent == [(409, refusal(case, 409), about)]
    else:
        # It is one write: the second request finds the response of the first.
        assert concurrent == [first]
    counts = scene.counts()
    assert scene.ask(case) == first
    assert scene.counts() == counts


@every_route
def test_a_request_of_a_killed_worker_is_completed_once_and_answered(
    deployed: dict[str, str], scene: Scene, starting_point: StartingPoint, route: str
) -> None:
    case = ROUTES[route](scene)
    calls = die_at(scene, case, 1_000, after=False)
    done = scene.counts()

    def new_case() -> tuple[str, Case]:
        scene.world = make_world(deployed)
        return scene.world.workspace_id, ROUTES[route](scene)

    for at in range(calls):
        for after in (False, True):
            workspace_id, case = starting_point(new_case)
            scene.world = make_world(deployed, workspace_id=workspace_id)
            die_at(scene, case, at, after=after)
            with scene.clock.later(120):
                scene.recover()

                status, body, headers = scene.ask(case)

                context = f"call {at}, {'after' if after else 'before'}"
                assert (status, body) == (case.status, case.expected(body)), context
                assert scene.counts() == done, context
                assert scene.ask(case) == (status, body, headers), context


def die_at(scene: Scene, case: Case, at: int, *, after: bool) -> int:
    """Send a request whose function is killed at this call; returns how many calls it made."""
    faulty = FaultyClient(aws.client("dynamodb"))
    begun = kill_from(faulty, at, after=after)
    with scene.patch.context() as patch:
        patch.setattr(container, "_dynamodb", lambda: faulty)
        container.reset()
        with suppress(Killed):
            scene.ask(case)
    container.reset()
    return len(begun)


@every_route
def test_a_day_later_the_key_is_free(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    ask_first(scene, case)
    scene.clock.pass_by(IDEMPOTENCY_SECONDS + 1)

    status, _, _ = scene.ask(case, body=case.other)

    assert status != 422


@every_route
def test_a_key_of_another_workspace_is_another_key(scene: Scene, route: str) -> None:
    case = ROUTES[route](scene)
    first = ask_first(scene, case)
    elsewhere, nowhere = (f"ws-{uuid.uuid4().hex[:12]}" for _ in range(2))

    status, _, headers = scene.ask(case, workspace_id=elsewhere)

    assert status == scene.ask(case, key=None, workspace_id=nowhere)[0]
    assert headers.get("X-Deletion-Id") != first[2].get("X-Deletion-Id", "")
    assert scene.ask(case) == first


# -- outside the table -----------------------------------------------------------------------


def test_every_post_and_delete_route_is_in_the_table(scene: Scene) -> None:
    cases = [prepare(scene) for prepare in ROUTES.values()]
    names = {case.route for case in cases}

    routes = [route for module in (links, deletions, analytics) for route in module.api.routes]
    writing = [route for route in routes if route.method in ("POST", "DELETE")]

    assert names == {f"{each.method} {each.resource}" for each in writing}
    assert all(route.replay is not None for route in writing)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_route_without_a_replay_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="need a replay"):
        Routes("Links").route(method, "/api/things", scope=())


def test_a_delete_that_exports_first_is_a_conflict_until_it_is_complete(scene: Scene) -> None:
    ids = scene.world.create(2)
    case = replace(deletion_by_ids(scene), body={"ids": ids, "export": True}, ids=tuple(ids))
    status, first, headers = scene.ask(case)
    assert (status, first["state"]) == (202, "exporting")
    about = {"X-Deletion-Id": first["id"]}

    assert scene.ask(case) == (409, refusal(case, 409), about)
    scene.clock.pass_by(120)
    scene.recover()

    done = _deletion(first, ids, "deleted", export={"url": None, "expiresAt": None})
    status, body, again = scene.ask(case)
    at = body["completedAt"]
    done |= {"completedAt": at, "undoUntil": _quarter_of_an_hour_after(at)}
    assert (status, body, again) == (200, done, headers)
    scene.erase(ids, {})
    assert scene.ask(case) == (status, body, again)


def test_a_running_restore_is_a_conflict_until_it_is_complete(scene: Scene) -> None:
    case = restore(scene)
    nothing = {"restoredIds": [], "pendingIds": list(case.ids)}
    with scene.patch.context() as patch:
        patch.setattr(restore_service, "_run", lambda *_: None)
        status, body, _ = scene.ask(case)
    assert (status, body) == (202, case.expected(body) | nothing)
    about = {"X-Deletion-Id": case.at}

    assert scene.ask(case) == (409, refusal(case, 409), about)
    scene.clock.pass_by(120)
    scene.recover()

    assert scene.ask(case) == (200, case.expected(None), about)


@pytest.mark.parametrize(
    ("make", "scopes", "missing"),
    [
        (erasure_by_ids, "linksWrite", "linksErase"),
        (erasure_by_ids, "linksRead admin", "linksErase"),
        (restore, "linksWrite", "linksRestore"),
    ],
)
def test_a_key_does_not_bypass_a_scope(
    scene: Scene, make: Callable[[Scene], Case], scopes: str, missing: str
) -> None:
    case = make(scene)
    ask_first(scene, case)
    refused = {
        "error": {"en": "Missing required scopes", "ar": "الصلاحيات المطلوبة مفقودة"},
        "missingScopes": [missing],
    }

    assert scene.ask(case, scopes=scopes) == (403, refused, {})


def test_a_policy_change_does_not_change_a_repeated_response(scene: Scene) -> None:
    case = replace(create_link(scene), body=_new_link() | {"iosUrl": "myapp://open/1"})
    with scene.patch.context() as patch:
        patch.setattr(Policies, "read", lambda _: Policies(app_schemes=("myapp",)))
        status, body, headers = scene.ask(case)
    assert (status, body) == (201, _link(scene, body) | {"iosUrl": "myapp://open/1"})

    assert scene.ask(case) == (status, body, headers)


def test_a_repeated_create_answers_the_link_as_it_was_created(scene: Scene) -> None:
    case = create_link(scene)
    first = ask_first(scene, case)
    title = {"title": "Summer"}
    _, changed = scene.world.call(links, "PUT /api/links/{id}", at=first[1]["id"], body=title)
    assert changed["title"] == "Summer"

    assert scene.ask(case) == first
