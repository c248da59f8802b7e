"""No sequence of calls of one workspace reads, changes or reveals data of another.

Each generated sequence is sent twice, by two new workspaces: for resources of workspace A, and for
resources that do not exist. Both must get the same status, body and headers, except for the
request's own id and values generated or counted per request.

Short codes are shared by all workspaces (`GET /{code}` is public), so the API does reveal that a
code is taken, but nothing else of its link.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.domain.api_keys import generate_api_key
from functions.domain.ids import new_short_code
from functions.domain.plans import SCOPES
from functions.handlers import account, analytics, deletions, keys, links, qr, receipts
from functions.repositories.api_keys import ApiKeysTable, new_key_id
from tests.conftest import World
from tests.support.api_gateway import send
from tests.support.routes import KEYED


@dataclass(frozen=True)
class Thing:
    """All identifiers of a link that a caller could have learned, and a deletion of it."""

    id: str
    code: str
    external_id: str
    deletion: str
    key: str
    api_key: str


@dataclass(frozen=True)
class Call:
    """One call about `things[which]`."""

    verb: str
    which: int


#: Name -> (function, route, what of the event is about the thing).
VERBS: dict[str, tuple[Any, str, Any]] = {
    "get": (links, "GET /api/links/{id}", lambda t: {"at": t.id}),
    "get in capitals": (links, "GET /api/links/{id}", lambda t: {"at": t.id.upper()}),
    "get by code": (links, "GET /api/links/{id}", lambda t: {"at": t.code}),
    "list": (links, "GET /api/links", lambda _: {}),
    "look into the trash": (account, "GET /api/trash", lambda _: {}),
    "list soft deletions": (deletions, "GET /api/deletions", lambda _: {"query": {"mode": "soft"}}),
    "list keys": (keys, "GET /api/keys", lambda _: {}),
    "issue a key": (
        keys,
        "POST /api/keys",
        lambda _: {"body": {"name": "n", "scopes": ["linksRead"]}},
    ),
    "revoke a key": (keys, "DELETE /api/keys/{id}", lambda t: {"at": t.api_key}),
    "read the receipt": (receipts, "GET /api/receipts/{id}", lambda t: {"at": t.deletion}),
    "say who calls": (account, "GET /api/me", lambda _: {}),
    "find by external id": (
        links,
        "GET /api/links",
        lambda t: {"query": {"externalId": t.external_id}},
    ),
    "change": (links, "PUT /api/links/{id}", lambda t: {"at": t.id, "body": {"title": "mine"}}),
    "change by code": (
        links,
        "PUT /api/links/{id}",
        lambda t: {"at": t.code, "body": {"isActive": False}},
    ),
    "create with its external id": (
        links,
        "POST /api/links",
        lambda t: {"body": {"originalUrl": "https://example.com/b", "externalId": t.external_id}},
    ),
    "qr": (qr, "GET /api/links/{id}/qr", lambda t: {"at": t.id}),
    "qr by code": (qr, "GET /api/links/{id}/qr", lambda t: {"at": t.code}),
    "delete": (deletions, "DELETE /api/links", lambda t: {"body": [t.id]}),
    "delete with its key": (
        deletions,
        "DELETE /api/links",
        lambda t: {"body": [t.id], "key": t.key},
    ),
    "erase": (deletions, "DELETE /api/links/{id}", lambda t: {"at": t.id}),
    "erase by code": (deletions, "DELETE /api/links/{id}", lambda t: {"at": t.code}),
    "erase many": (
        deletions,
        "POST /api/links/bulk-delete",
        lambda t: {"body": {"ids": [t.id, "nonsense"]}},
    ),
    "create a deletion": (deletions, "POST /api/deletions", lambda t: {"body": {"ids": [t.id]}}),
    "create an erasure": (
        deletions,
        "POST /api/deletions",
        lambda t: {"body": {"ids": [t.id], "mode": "erase"}},
    ),
    "try a deletion": (
        deletions,
        "POST /api/deletions",
        lambda t: {"body": {"ids": [t.id], "dryRun": True}},
    ),
    "read the deletion": (deletions, "GET /api/deletions/{id}", lambda t: {"at": t.deletion}),
    "restore": (deletions, "POST /api/deletions/{id}/restore", lambda t: {"at": t.deletion}),
    "restore some": (
        deletions,
        "POST /api/deletions/{id}/restore",
        lambda t: {"at": t.deletion, "body": {"ids": [t.id]}},
    ),
    "analytics": (analytics, "GET /api/analytics/links/{id}", lambda t: {"at": t.id}),
    "analytics by code": (analytics, "GET /api/analytics/links/{id}", lambda t: {"at": t.code}),
    "export": (analytics, "POST /api/analytics/links/{id}/export", lambda t: {"at": t.id}),
    "read an export": (
        analytics,
        "GET /api/analytics/links/{id}/export/{exportId}",
        lambda t: {"path": {"id": t.id, "exportId": t.deletion}},
    ),
    "install": (analytics, "POST /api/installs", lambda t: {"body": {"linkId": t.id}}),
    "list deletions": (deletions, "GET /api/deletions", lambda _: {}),
}

CALLS = st.lists(
    st.builds(Call, st.sampled_from(sorted(VERBS)), st.integers(0, 2)), min_size=1, max_size=6
)

#: Values that are generated or counted per request.
OWN_HEADERS = re.compile(
    r"x-request-id|x-ratelimit-re.*|ratelimit|x-deletion-id|location", re.IGNORECASE
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def things_of(world: World, workspace_id: str) -> list[Thing]:
    """A live link, a soft-deleted one and an erased one."""
    made = []
    for state in ("live", "soft-deleted", "erased"):
        external_id, key = f"crm-{uuid.uuid4().hex[:8]}", f"order-{uuid.uuid4().hex[:8]}"
        [item] = world.create_items(1, workspace_id, externalId=external_id)
        [spent] = world.create(1, workspace_id=workspace_id)
        doomed = spent if state == "live" else item.id
        mode = "erase" if state == "erased" else "soft"
        body = {"ids": [doomed], "mode": mode}
        about = {"workspace_id": workspace_id, "key": key}
        _, deletion = world.call(deletions, "POST /api/deletions", body=body, **about)
        api_key = add_admin(world, workspace_id, new_key_id())
        made.append(Thing(item.id, item.short_code, external_id, deletion["id"], key, api_key))
    return made


def unknown_things() -> list[Thing]:
    return [
        Thing(
            str(uuid.uuid4()),
            new_short_code(),
            f"crm-{uuid.uuid4().hex[:8]}",
            str(uuid.uuid4()),
            f"order-{uuid.uuid4().hex[:8]}",
            new_key_id(),
        )
        for _ in range(3)
    ]


def add_admin(world: World, workspace_id: str, key_id: str) -> str:
    """An API key with every scope, as a record."""
    ApiKeysTable(world.dynamodb, world.access.name).create(
        generate_api_key(),
        key_id=key_id,
        workspace_id=workspace_id,
        scopes=SCOPES,
        user_id="tester",
        name="isolation",
    )
    return key_id


def responses_to(world: World, calls: list[Call], things: list[Thing]) -> list[Any]:
    """The responses to a new workspace that makes these calls for these resources."""
    workspace_id = f"ws-{uuid.uuid4().hex[:12]}"
    add_admin(world, workspace_id, f"key-{workspace_id}")
    responses = []
    for call in calls:
        module, route, about = VERBS[call.verb]
        given = about(things[call.which])
        reply = send(module.handler, route, workspace_id=workspace_id, **given)
        headers = {
            name.lower(): value
            for name, value in reply.headers.items()
            if not OWN_HEADERS.match(name)
        }
        # An image stays as it is: no identifier is in it as text.
        text = repr(reply.body) if reply.was_base64 else reply.body.decode()
        body = neutral(text, things, workspace_id)
        responses.append((call.verb, reply.status, headers, body))
    return responses


def neutral(body: str, things: list[Thing], workspace_id: str) -> Any:
    """The body with the caller's own names in place of values."""
    for number, thing in enumerate(things):
        for name in ("id", "code", "external_id", "deletion", "key", "api_key"):
            value = getattr(thing, name)
            body = body.replace(value, f"<{name} {number}>")
            body = body.replace(value.upper(), f"<{name} {number}>")
    body = TIME.sub("<time>", UUID.sub("<made>", body.replace(workspace_id, "<caller>")))
    body = re.sub(r"ul_live_\w+", "<secret>", re.sub(r"key-[0-9a-f]{20}", "<made>", body))
    body = re.sub(r'"(remaining|reset)":[0-9]+', "<counted>", body)
    body = re.sub(r'"shortCode":"[^"]+"', '"shortCode":"<made>"', body)
    return re.sub(r'"shortUrl":"[^"]+"', '"shortUrl":"<made>"', body)


def everything_of(world: World, workspace_id: str) -> list[str]:
    """All items of all tables that name the workspace, except rate windows."""
    found = []
    stores = world.stores
    for name in (
        stores.links.name,
        stores.deletions.name,
        world.clicks.name,
        world.access.name,
    ):
        texts = (json.dumps(item, sort_keys=True, default=repr) for item in world.stored(name))
        found += [text for text in texts if workspace_id in text]
    return sorted(found)


def test_every_route_about_a_link_or_deletion_is_tried() -> None:
    tried = {tuple(route.split()) for _, route, _ in VERBS.values()}
    assert set(KEYED) == tried


def test_no_sequence_of_calls_crosses_workspaces(world: World) -> None:
    owner = world.workspace_id
    foreign = things_of(world, owner)
    before = everything_of(world, owner)
    assert len(before) >= 8

    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(CALLS)
    def check(calls: list[Call]) -> None:
        unknown = unknown_things()
        assert responses_to(world, calls, foreign) == responses_to(world, calls, unknown)
        assert everything_of(world, owner) == before

    check()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_call_alone_stays_in_its_workspace(world: World, verb: str) -> None:
    """The sequences above are random; this test covers each call."""
    foreign = things_of(world, world.workspace_id)
    before = everything_of(world, world.workspace_id)
    calls = [Call(verb, which) for which in range(3)]
    assert responses_to(world, calls, foreign) == responses_to(world, calls, unknown_things())
    assert everything_of(world, world.workspace_id) == before


def test_a_cursor_of_another_workspace_is_invalid(world: World) -> None:
    world.create(3)
    _, page = world.call(links, "GET /api/links", query={"limit": "1"})
    assert page["nextCursor"]
    responses = [
        world.call(links, "GET /api/links", workspace_id="ws-another", query={"cursor": cursor})
        for cursor in (page["nextCursor"], "nonsense")
    ]
    assert responses[0] == responses[1]
    assert responses[0][0] == 400
