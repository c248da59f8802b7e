"""Runs each function through all its AWS calls, to find the permissions that it uses.

A patch simulates events that a scenario cannot cause: a killed worker, a timeout, a parallel
delete.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError

from functions import container
from functions.aws.codec import to_item
from functions.domain.api_keys import generate_api_key
from functions.domain.clock import now_iso
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.errors import Unavailable
from functions.domain.outcomes import Outcome
from functions.domain.policies import Policies
from functions.domain.qr_image import render
from functions.handlers import (
    account,
    analytics,
    authorizer,
    click_stream,
    deletion_stream,
    deletion_worker,
    deletions,
    erase_worker,
    export_worker,
    keys,
    link_stream,
    links,
    qr,
    receipt_signer,
    receipts,
    redirect,
    scheduler,
)
from functions.repositories.api_keys import ApiKeysTable, new_key_id
from functions.repositories.click_totals import ClickTotals
from functions.repositories.clicks import ClicksTable
from functions.repositories.exports import (
    ExportRecords,
    ExportsBucket,
    message_of,
    object_key,
    tail_key,
)
from functions.repositories.link_batches import LinkBatches
from functions.repositories.link_names import LinkNames
from functions.services import delete_links, purge_items, resolve_filter, run_deletion
from functions.services import export as exporting
from functions.services import qr as drawing
from functions.services import restore as restore_service
from functions.services.read_budget import PacedBudget
from functions.services.resolve_filter import ResolvedLinks
from functions.services.sessions import SessionPool, SigningKeys
from tests.conftest import World
from tests.support import tokens
from tests.support.api_gateway import Context, Reply, api_event
from tests.support.erasure import Erasing
from tests.support.iam import Recorder
from tests.support.restores import restore_stores


@dataclass
class Scene:
    """An environment with recorded SDK calls, and the steps of the scenarios."""

    world: World
    recorder: Recorder
    erasing: Erasing

    def ask(self, module: Any, route: str, **more: Any) -> Reply:
        """A request with all scopes."""
        with self.recorder.acts(module.__name__.rpartition(".")[2]):
            reply = self.world.send(module, route, **more)
        assert reply.status < 500, (route, reply)
        return reply

    def asked(self, module: Any, route: str, **more: Any) -> Any:
        """The body of a successful response."""
        reply = self.ask(module, route, **more)
        assert reply.status < 300, (route, reply)
        return reply.json()

    def run(self, module: Any, event: dict[str, Any], seconds: float = 120.0) -> Any:
        with self.recorder.acts(module.__name__.rpartition(".")[2]):
            return module.handler(event, Context(seconds))

    def work(
        self, module: Any, *messages: dict[str, Any], seconds: float = 120.0, delivery: int = 1
    ) -> list[Any]:
        """Run a function on messages of its queue; returns the failed ones."""
        records = [
            {
                "messageId": str(number),
                "body": json.dumps(message),
                "attributes": {"ApproximateReceiveCount": str(delivery)},
            }
            for number, message in enumerate(messages)
        ]
        failed: list[Any] = self.run(module, {"Records": records}, seconds)["batchItemFailures"]
        return failed

    def follow(self, module: Any, *records: dict[str, Any]) -> None:
        assert self.run(module, {"Records": list(records)}) == {"batchItemFailures": []}

    def message(self, deletion_id: str) -> dict[str, str]:
        """The message of a deletion in the resume queue."""
        return {"workspaceId": self.world.workspace_id, "deletionId": deletion_id}

    def left(self, begin: Callable[[], Deletion]) -> Deletion:
        """An accepted deletion whose worker had no time."""
        with no_time_to_delete():
            deletion = begin()
        assert deletion.open
        return deletion

    def long_ago(self, pk: str, sk: str, *, leased: bool = True) -> None:
        """Make this record the one with the oldest progress."""
        self.world.dynamodb.update_item(
            TableName=self.world.stores.deletions.name,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            UpdateExpression="SET openSk=:old" + (", leaseUntil=:none" if leased else ""),
            ConditionExpression="attribute_exists(openPk)",
            ExpressionAttributeValues={":old": {"S": f"2000-01-01T00:00:00.000Z#{sk}"}}
            | ({":none": {"N": "0"}} if leased else {}),
        )


@contextmanager
def no_time_to_delete() -> Iterator[None]:
    """The deadline comes before the first link."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_deletion, "_soft_delete_slice", lambda *_: None)
        patch.setattr(run_deletion, "erase_slice", lambda *_: None)
        yield


def erased_meanwhile() -> AbstractContextManager[Any]:
    """Soft deletes of one link whose statement finds nothing."""
    return patch.object(LinkBatches, "mark_deleted", return_value=bytearray([Outcome.NOT_FOUND]))


def small_parts() -> AbstractContextManager[Any]:
    """Exports in which each page of clicks is a part."""
    return patch.object(exporting, "PART_BYTES", 1)


def saving_always() -> AbstractContextManager[Any]:
    """Exports whose tail is saved after each step of reading."""
    return patch.object(exporting, "SAVE_SECONDS", 0.0)


def dying_before_complete() -> AbstractContextManager[Any]:
    """Exports whose worker is killed after reading everything."""
    return patch.object(exporting._File, "complete", side_effect=Unavailable)


def dying_once_complete() -> AbstractContextManager[Any]:
    """Exports whose worker is killed after completing the upload."""
    complete = ExportsBucket.complete

    def and_die(*given: Any, **more: Any) -> None:
        complete(*given, **more)
        raise Unavailable

    return patch.object(ExportsBucket, "complete", and_die)


def dying_after_export() -> AbstractContextManager[Any]:
    """Deletions whose worker is killed when the export is complete and nothing is deleted."""
    return patch.object(run_deletion, "_release_export_slot", side_effect=Unavailable)


def drive_authorizer(scene: Scene) -> None:
    access, workspace_id = scene.world.access, scene.world.workspace_id
    access.create_workspace(
        workspace_id, plan="pro", usage_key="u", usage_key_id="i", policies=Policies()
    )
    key, api_keys = generate_api_key(), ApiKeysTable(scene.world.dynamodb, access.name)
    api_keys.create(
        key, key_id="k", workspace_id=workspace_id, scopes=["admin"], user_id="u", name="n"
    )
    access.put_member(f"user-{workspace_id}", workspace_id=workspace_id, role="owner")
    signing_keys = SigningKeys(tokens.ISSUER, fetch=tokens.KeyServer())
    pool = SessionPool(tokens.ISSUER, frozenset({tokens.CLIENT_ID}), signing_keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "session_pool", lambda: pool)
        for credential in (key, tokens.token(sub=f"user-{workspace_id}")):
            arn = "arn:aws:execute-api:r:a:api/prod/GET/x"
            response = scene.run(
                authorizer, {"methodArn": arn, "headers": {"Authorization": credential}}
            )
            assert response["context"]["workspaceId"] == workspace_id
    assert api_keys.get(workspace_id, "k")["lastUsedAt"]


def drive_account(scene: Scene) -> None:
    assert scene.ask(account, "GET /api/me").status == 200
    scene.ask(deletions, "DELETE /api/links", body=scene.world.create(2))
    first = scene.asked(account, "GET /api/trash", query={"limit": "1"})
    # In the middle of a deletion.
    query = {"limit": "1", "cursor": first["nextCursor"]}
    assert scene.asked(account, "GET /api/trash", query=query)["links"]


def drive_keys(scene: Scene) -> None:
    access, workspace_id = scene.world.access, scene.world.workspace_id
    api_keys = ApiKeysTable(scene.world.dynamodb, access.name)
    own, old = new_key_id(), new_key_id()
    for key_id in (own, old):
        api_keys.create(
            generate_api_key(),
            key_id=key_id,
            workspace_id=workspace_id,
            scopes=["admin"],
            user_id="u",
            name="n",
        )
    access.put_member(f"user-{workspace_id}", workspace_id=workspace_id, role="owner")
    body, caller = {"name": "ci", "scopes": ["linksRead", "admin"]}, {"keyId": own}
    issued = scene.asked(keys, "POST /api/keys", body=body, key="issue", caller=caller)
    again = scene.ask(keys, "POST /api/keys", body=body, key="issue", caller=caller)
    assert again.status == 201
    assert scene.ask(keys, "GET /api/keys", query={"limit": "1"}, caller=caller).status == 200
    for key_id in (old, issued["keyId"], own):
        # The first is another's, the last its own: then the owner is the admin that stays.
        reply = scene.ask(keys, "DELETE /api/keys/{id}", at=key_id, key=key_id, caller=caller)
        assert reply.status == 200, reply


def receipt_of(scene: Scene) -> Deletion:
    """A completed erasure whose receipt is to be signed."""
    stores = scene.world.stores
    stores.erasures._sign_receipts = True
    [link_id] = scene.world.create(1)
    deletion = scene.erasing.erase_completely([link_id])
    stores.erasures._sign_receipts = False
    assert scene.erasing.header(deletion.id).state == "complete"
    return deletion


def drive_receipts(scene: Scene) -> None:
    asked = receipt_of(scene).id
    assert scene.ask(receipts, "GET /api/receipts/{id}", at=asked).status == 409
    event = api_event("GET /.well-known/jwks.json")
    assert scene.run(receipts, event)["statusCode"] == 200


def drive_receipt_signer(scene: Scene) -> None:
    deletion = receipt_of(scene)
    scene.run(receipt_signer, {})
    header = scene.erasing.header(deletion.id)
    assert header.receipt is not None
    assert header.receipt["signed"] is True


def drive_links(scene: Scene) -> None:
    new = {"originalUrl": "https://example.com/a"}
    key = uuid.uuid4().hex
    link = scene.asked(links, "POST /api/links", body=new | {"externalId": "e-1"}, key=key)
    scene.ask(links, "POST /api/links", body=new | {"externalId": "e-1"}, key=key)
    scene.asked(links, "GET /api/links/{id}", at=link["id"])
    scene.asked(links, "GET /api/links/{id}", at=link["shortCode"])
    for body in ({"title": "t"}, {"externalId": "e-2"}, {"externalId": None}):
        scene.asked(links, "PUT /api/links/{id}", at=link["id"], body=body)
    scene.asked(links, "POST /api/links", body=[new, new])
    scene.asked(links, "GET /api/links", query={"limit": "1"})
    scene.asked(links, "GET /api/links", query={"externalId": "e-2"})
    # A code that is taken between the check and the transaction: the create is rolled back.
    taken = f"taken-{uuid.uuid4().hex[:8]}"
    scene.asked(links, "POST /api/links", body=new | {"shortCode": taken})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinkNames, "code_claims", lambda *_, **__: {})
        many = [new] * 40 + [new | {"shortCode": taken}]
        assert scene.ask(links, "POST /api/links", body=many).status == 409
        key = uuid.uuid4().hex
        assert scene.ask(links, "POST /api/links", body=many, key=key).status == 409


def drive_deletions(scene: Scene) -> None:
    ask, asked, world = scene.ask, scene.asked, scene.world
    a, b, c, d, e, f, g = world.create(7)
    coded, kept = world.create_items(2)
    world.create_items(1, externalId="x-1")
    key, other_key = (uuid.uuid4().hex for _ in range(2))
    for _ in range(2):
        asked(deletions, "DELETE /api/links", body=[a, b], key=key)
    first = asked(deletions, "GET /api/deletions")["deletions"][0]["id"]
    asked(deletions, "GET /api/deletions", query={"limit": "1"})
    asked(deletions, "GET /api/deletions/{id}", at=first)
    asked(deletions, "DELETE /api/links/{id}", at=coded.short_code)
    in_quarantine = {"quarantineDays": "7"}
    asked(deletions, "DELETE /api/links/{id}", at=kept.short_code, caller=in_quarantine)
    asked(deletions, "POST /api/links/bulk-delete", body={"ids": [c]})
    asked(deletions, "POST /api/links/bulk-delete", body={"ids": [g]}, caller=in_quarantine)
    asked(deletions, "POST /api/deletions", body={"ids": [d], "dryRun": True})
    for _ in range(2):
        body = {"ids": [d], "dryRun": True, "reason": "with a key"}
        asked(deletions, "POST /api/deletions", body=body, key=other_key)
    asked(deletions, "POST /api/deletions", body={"filter": {"tag": "none"}})
    asked(deletions, "POST /api/deletions/{id}/restore", at=first)
    asked(deletions, "DELETE /api/links", body=world.create(300))
    # The rest of a request without time goes to the queue.
    with no_time_to_delete():
        assert ask(deletions, "DELETE /api/links", body=[e]).status == 202
    with erased_meanwhile():
        asked(deletions, "DELETE /api/links", body=world.create(1))
    # And so is a deletion that exports first; its export is then shown by a signed URL.
    exported = asked(deletions, "POST /api/deletions", body={"ids": [f], "export": True})
    assert not scene.work(deletion_worker, scene.message(exported["id"]))
    shown = asked(deletions, "GET /api/deletions/{id}", at=exported["id"])
    assert shown["export"]["url"]


def drive_qr(scene: Scene) -> None:
    drawn, deleted = scene.world.create(2)
    for _ in range(2):
        reply = scene.ask(qr, "GET /api/links/{id}/qr", at=drawn)
        assert reply.status == 200

    def and_delete(*given: Any) -> bytes:
        with scene.recorder.pauses():
            scene.erasing.soft_delete([deleted])
        return render(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "render", and_delete)
        reply = scene.ask(qr, "GET /api/links/{id}/qr", at=deleted)
    assert reply.status == 404


def drive_redirect(scene: Scene) -> None:
    [item] = scene.world.create_items(1)
    event = api_event("GET /{code}", path={"code": item.short_code})
    assert scene.run(redirect, event)["statusCode"] == 302
    put = ClicksTable.put

    def throttled_in_one_partition(*given: Any, one_partition: bool = False, **more: Any) -> None:
        if one_partition:
            refused: Any = {"Error": {"Code": "ThrottlingException"}}
            raise Unavailable from ClientError(refused, "PutItem")
        put(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClicksTable, "put", throttled_in_one_partition)
        assert scene.run(redirect, event)["statusCode"] == 302
    assert not scene.world.one_partition(item.id)


def drive_analytics(scene: Scene) -> None:
    [item] = scene.world.create_items(1)
    headers = {"User-Agent": A_PERSON}
    visit = api_event("GET /{code}", path={"code": item.short_code}, headers=headers)
    scene.run(redirect, visit)
    link = {"id": item.id}
    scene.asked(analytics, "GET /api/analytics/links/{id}", path=link)
    key, other_key = (uuid.uuid4().hex for _ in range(2))
    for _ in range(2):
        body = {"linkId": item.id}
        made = scene.asked(analytics, "POST /api/installs", body=body, key=key)
    scene.asked(analytics, "POST /api/installs", body={"clickId": made["clickId"]})
    for _ in range(2):
        begun = scene.asked(
            analytics, "POST /api/analytics/links/{id}/export", path=link, key=other_key
        )
    assert not scene.work(export_worker, export_message(begun, scene))
    shown = scene.asked(
        analytics,
        "GET /api/analytics/links/{id}/export/{exportId}",
        path=link | {"exportId": begun["id"]},
    )
    assert shown["url"]


A_PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36"
)


def export_message(begun: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """The message of an export in the export queue."""
    records = ExportRecords(scene.world.dynamodb, clicks=scene.world.clicks.name, links="")
    record = records.get(begun["linkId"], begun["id"])
    assert record is not None
    return message_of(record)


def drive_export_worker(scene: Scene) -> None:
    def begin() -> dict[str, Any]:
        [link] = scene.world.create(1)
        scene.erasing.click(link, 3)
        begun = scene.asked(analytics, "POST /api/analytics/links/{id}/export", at=link)
        return export_message(begun, scene)

    # Whole, after a run that had no time.
    small = begin()
    assert not scene.work(export_worker, small, seconds=exporting.RESERVED_SECONDS)
    assert not scene.work(export_worker, small)
    # A worker that saved a tail, and one that read it.
    slow = begin()
    with saving_always():
        with dying_before_complete():
            assert scene.work(export_worker, slow)
        assert not scene.work(export_worker, slow)
    # In parts, without an end.
    large = begin()
    with small_parts():
        with dying_once_complete():
            assert scene.work(export_worker, large)
        assert not scene.work(export_worker, large)
    # Given up.
    assert scene.work(export_worker, begin(), delivery=5)
    # In parts, until the link is erased.
    gone = begin()
    with small_parts(), dying_once_complete():
        assert scene.work(export_worker, gone)
    with scene.recorder.pauses():
        scene.erasing.erase([gone["linkId"]])
    assert not scene.work(export_worker, gone)


def drive_click_stream(scene: Scene) -> None:
    [link] = scene.world.create(1)

    def records(visitors: int) -> list[dict[str, Any]]:
        clicks = [
            {
                "pk": f"{link}#{number % 8}",
                "sk": f"CLICK#{now_iso()}#{uuid.uuid4()}",
                "id": str(uuid.uuid4()),
                "linkId": link,
                "workspaceId": scene.world.workspace_id,
                "clickedAt": now_iso(),
                "ipAddress": f"10.0.0.{number}",
            }
            for number in range(visitors)
        ]
        return [
            {
                "eventName": "INSERT",
                "dynamodb": {"SequenceNumber": "100", "NewImage": to_item(click)},
            }
            for click in clicks
        ]

    scene.follow(click_stream, *records(1), STRANGE)
    # More visitors and clicks than the day itself keeps, twice.
    for _ in range(2):
        scene.follow(click_stream, *records(40))
    # A link that is erased while its clicks are counted.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClickTotals, "advance", lambda *_, **__: False)
        scene.follow(click_stream, *records(2))


class Deletes:
    """Deletions that a request of a workspace with a quarantine begins."""

    def __init__(self, scene: Scene) -> None:
        self.world = scene.world
        self.request = scene.world.deletion_request(policies={"quarantineDays": 7})
        self.with_export = replace(self.request, export_base_url="https://go.example")
        self._given: dict[str, Any] = {
            "deletion_request": self.request,
            "stores": scene.world.stores,
        }

    def softly(self, ids: list[str], **more: Any) -> Deletion:
        return delete_links.soft_delete(ids, [], **self._given | more)

    def for_good(self, ids: list[str], **more: Any) -> Deletion:
        return delete_links.erase_many(ids, **self._given | more)

    def by_filter(self, **fields: str) -> Deletion:
        """A soft deletion whose request had no time to resolve the filter."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resolve_filter, "resolve", lambda *_: ResolvedLinks())
            found = delete_links.delete_by_filter(
                FilterRequest(dict(fields), maximum=100, reads_per_minute=6_000),
                "soft",
                budget=PacedBudget(6_000),
                open_filters=1,
                **self._given,
            )
        assert found.state == "accepted"
        return found


def drive_deletion_worker(scene: Scene) -> None:
    world, deletes = scene.world, Deletes(scene)

    def finish(deletion: Deletion) -> None:
        assert not scene.work(deletion_worker, scene.message(deletion.id))
        assert scene.erasing.header(deletion.id).state in ("complete", "erasing")

    # In either mode; the first worker has no time either.
    soft = scene.left(lambda: deletes.softly(world.create(2)))
    with no_time_to_delete():
        assert not scene.work(deletion_worker, scene.message(soft.id))
    finish(soft)
    erased = world.create_items(1)[0].id
    external = world.create_items(1, externalId="x-1")[0].id
    finish(scene.left(lambda: deletes.for_good([erased, external])))
    plain = world.deletion_request()
    finish(scene.left(lambda: deletes.for_good(world.create(1), deletion_request=plain)))

    world.create(2, tags=["summer"])
    found = deletes.by_filter(tag="summer")
    finish(found)
    assert scene.erasing.header(found.id).counts["deleted"] == 2
    world.create(1, externalId="x-2")
    finish(deletes.by_filter(externalId="x-2"))

    # An export before the delete, whose worker is killed when it is written.
    ids = world.create(1)
    scene.erasing.click(ids[0], 2)
    exported = deletes.softly(ids, deletion_request=deletes.with_export)
    with small_parts():
        with dying_once_complete():
            assert scene.work(deletion_worker, scene.message(exported.id))
        scene.long_ago(world.workspace_id, exported.id)
        finish(exported)
    finish(deletes.softly(world.create(1), deletion_request=deletes.with_export))
    lost = scene.left(lambda: deletes.softly(world.create(1)))
    with erased_meanwhile():
        finish(lost)
    exported = deletes.softly(world.create(1), deletion_request=deletes.with_export)
    with saving_always():
        with dying_before_complete():
            assert scene.work(deletion_worker, scene.message(exported.id))
        scene.long_ago(world.workspace_id, exported.id)
        finish(exported)


def drive_scheduler(scene: Scene) -> None:
    world, deletes = scene.world, Deletes(scene)

    def pick_up(*deletions: Deletion) -> None:
        """Run the schedule when the leases of these deletions have expired."""
        for deletion in deletions:
            scene.long_ago(world.workspace_id, deletion.id)
        scene.run(scheduler, {})

    def finish(*deletions: Deletion) -> None:
        pick_up(*deletions)
        states = {scene.erasing.header(each.id).state for each in deletions}
        assert states <= {"complete", "erasing"}

    soft = scene.left(lambda: deletes.softly(world.create(2)))
    with no_time_to_delete():
        pick_up(soft)
    external = world.create_items(1, externalId="x-1")[0].id
    plain = world.deletion_request()
    finish(
        soft,
        scene.left(lambda: deletes.for_good([*world.create(1), external])),
        scene.left(lambda: deletes.for_good(world.create(1), deletion_request=plain)),
    )
    world.create(2, tags=["summer"])
    found = deletes.by_filter(tag="summer")
    finish(found)
    assert scene.erasing.header(found.id).counts["deleted"] == 2
    world.create(1, externalId="x-2")
    finish(deletes.by_filter(externalId="x-2"))

    # An export is the worker's: one that it has not begun, and one that it has completed.
    exported = deletes.softly(world.create(1), deletion_request=deletes.with_export)
    pick_up(exported)
    assert scene.erasing.header(exported.id).state == "exporting"
    with dying_after_export():
        assert scene.work(deletion_worker, scene.message(exported.id))
    finish(exported)

    # A restore of a killed worker, and a stalled erasure.
    stores = restore_stores(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore_service, "_run", lambda *_: None)
        begun = restore_service.restore(
            soft.id, None, deletion_request=deletes.request, stores=stores
        )
    scene.long_ago(f"{world.workspace_id}#{soft.id}", f"RESTORE#{begun.restore.id}")
    stalled = deletes.for_good(world.create(1))
    scene.long_ago(world.workspace_id, stalled.id, leased=False)
    scene.run(scheduler, {})
    assert all(world.live(link_id) for link_id in soft.link_ids)


#: A record that no function can parse.
STRANGE: dict[str, Any] = {"dynamodb": {"SequenceNumber": "1"}}


def drive_link_stream(scene: Scene) -> None:
    kept, gone = scene.world.create(2)
    scene.erasing.render(kept, "a.png")
    scene.erasing.render(gone, "b.png")
    _, soft = scene.erasing.soft_delete([kept], policies={"linkEvents": True})
    _, hard = scene.erasing.erase([gone])
    scene.follow(link_stream, *soft, *hard, STRANGE)


def drive_deletion_stream(scene: Scene) -> None:
    header = {
        "pk": scene.world.workspace_id,
        "sk": str(uuid.uuid4()),
        "mode": "soft",
        "state": "complete",
        "actor": {"userId": "tester"},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "completedAt": "2026-01-01T00:00:01.000Z",
        "counts": {"requested": 1, "deleted": 1},
    }
    record = {"dynamodb": {"SequenceNumber": "1", "NewImage": to_item(header)}}
    scene.follow(deletion_stream, record, STRANGE)


def drive_erase_worker(scene: Scene) -> None:
    erasing = scene.erasing
    wanted = {"quarantineDays": 7, "linkEvents": True}
    asked_for, retained, expired = scene.world.create_items(3)
    [named] = scene.world.create_items(1, externalId="x-1")
    erasing.click(asked_for.id, 3)
    erasing.put_beside(asked_for.id, "INSTALL#2026-01-01T00:00:00.000Z#1")
    erasing.put_beside(asked_for.id, "EXPORT#1")
    boto3.client("s3").put_object(
        Bucket=os.environ["EXPORTS_BUCKET"],
        Key=tail_key(object_key(scene.world.workspace_id, "1")),
        Body=b"clicks",
    )
    erasing.render(asked_for.id, "a.png")
    _, records = erasing.erase([asked_for.id], policies=wanted)
    erasing.soft_delete([retained.id], policies=wanted)
    # And links that their TTL removed, with and without a delete before.
    records += [erasing.expire(each.id) for each in (retained, expired, named)]
    erasing.cleanup(records)
    messages = list(erasing.messages)
    assert messages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purge_items, "_empty", lambda *_, **__: None)
        assert not scene.work(erase_worker, *messages, seconds=300.0)
    assert not scene.work(erase_worker, *messages, seconds=300.0)
    assert not erasing.left_of(asked_for.id)


DRIVES: dict[str, Callable[[Scene], None]] = {
    name.removeprefix("drive_"): drive
    for name, drive in list(globals().items())
    if name.startswith("drive_")
}
