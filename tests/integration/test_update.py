"""Changing links: only given fields, only while live, external ids moved in one transaction."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

import jsonschema_rs
import pytest
from botocore.exceptions import ClientError

from functions.domain.errors import Conflict, LinkNotFound
from functions.domain.link import FIELDS, Link
from functions.handlers import links
from functions.schemas.link_responses import WrittenLink
from functions.schemas.links import LinkChanges
from functions.services.update_link import update_link
from tests.conftest import World
from tests.support.interleaving import at_once, interleave
from tests.support.openapi import openapi_document

COMPONENTS = openapi_document()["components"]
WRITTEN = jsonschema_rs.validator_for(
    {"$ref": "#/components/schemas/WrittenLink", "components": COMPONENTS}
)


def update(world: World, link_id: str, **changes: Any) -> Link:
    return update_link(link_id, changes, workspace_id=world.workspace_id, links=world.stores.links)


def put(world: World, link_id: str, body: Any) -> tuple[int, Any]:
    return world.call(links, "PUT /api/links/{id}", at=link_id, body=body)


def owner_of_external_id(world: World, external_id: str) -> str | None:
    item = world.dynamodb.get_item(
        TableName=world.stores.links.name,
        Key={"pk": {"S": f"EXT#{world.workspace_id}#{external_id}"}, "sk": {"S": "EXT"}},
        ConsistentRead=True,
    ).get("Item")
    return item["linkId"]["S"] if item else None


def test_only_the_given_fields_change(world: World) -> None:
    [before] = world.create_items(
        title="Old", tags=["a"], expiresAt=datetime(2040, 1, 1, tzinfo=UTC)
    )

    status, link = put(world, before.id, {"title": "New", "expiresAt": None})

    assert status == 200
    assert (link["title"], link["expiresAt"], link["tags"]) == ("New", None, ["a"])
    after = world.link(before.id)
    assert after.updated_at >= before.updated_at
    assert after == before._replace(title="New", expires_at=None, updated_at=after.updated_at)


def test_a_link_can_be_changed_by_its_short_code(world: World) -> None:
    [link] = world.create_items()

    status, changed = put(world, link.short_code, {"isActive": False})

    assert (status, changed["id"], changed["isActive"]) == (200, link.id, False)


def test_a_timestamp_may_be_past_or_future_and_is_answered_in_utc(world: World) -> None:
    [link_id] = world.create()

    _, past = put(world, link_id, {"expiresAt": "2001-02-03T04:05:06+02:00"})
    _, future = put(world, link_id, {"expiresAt": "9999-12-31T23:59:59.9999Z"})

    assert past["expiresAt"] == "2001-02-03T02:05:06.000Z"
    assert future["expiresAt"] == "9999-12-31T23:59:59.999Z"


def test_an_empty_update_changes_nothing(world: World) -> None:
    [link] = world.create_items(title="Old")

    status, response = put(world, link.id, {})

    assert (status, response["title"]) == (200, "Old")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"id": str(uuid.uuid4())}, "id"),
        ({"shortCode": "another"}, "shortCode"),
        ({"customCode": "another"}, "customCode"),
        ({"clickCount": 7}, "clickCount"),
        ({"workspaceId": "ws-other"}, "workspaceId"),
        ({"createdAt": "2020-01-01T00:00:00Z"}, "createdAt"),
        ({"surprise": 1}, "surprise"),
        ({"originalUrl": None}, "originalUrl"),
        ({"originalUrl": "javascript:alert(1)"}, "originalUrl"),
        ({"originalUrl": "https://user:secret@example.com/"}, "originalUrl"),
        ({"originalUrl": "https://example.com/" + "a" * 2040}, "originalUrl"),
        ({"originalUrl": "https://example.com/" + "é" * 400}, "originalUrl"),
        ({"originalUrl": "https://256.1.1.1/"}, "originalUrl"),
        ({"originalUrl": "http://SHORT.test:80/other"}, "originalUrl"),
        ({"iosUrl": "https://short.test./other"}, "iosUrl"),
        ({"isActive": "yes"}, "isActive"),
        ({"isActive": None}, "isActive"),
        ({"title": 5}, "title"),
        ({"title": "a" * 201}, "title"),
        ({"tags": "a"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"expiresAt": 1767225600}, "expiresAt"),
        ({"expiresAt": "2030-01-01"}, "expiresAt"),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"utmParameters": {"source": ""}}, "utmParameters"),
        ({"utmParameters": {"sauce": "x"}}, "utmParameters"),
        ({"externalId": ""}, "externalId"),
        ([], "body"),
        (None, None),
    ],
)
def test_bad_input_is_named_and_changes_nothing(world: World, body: Any, names: str | None) -> None:
    [link_id] = world.create()
    before = world.link(link_id)

    status, error = put(world, link_id, body)

    assert status == 400
    assert (error["statusCode"], error["error"]) == (400, "Bad Request")
    if names:
        assert error["details"][0].startswith(names)
    assert world.link(link_id) == before


@pytest.mark.parametrize("case", ["unknown", "foreign", "malformed", "soft-deleted", "erased"])
def test_an_update_of_a_missing_link_creates_nothing(world: World, case: str) -> None:
    [link_id] = world.create(1, workspace_id="ws-elsewhere" if case == "foreign" else None)
    if case == "unknown":
        link_id = str(uuid.uuid4())
    elif case == "malformed":
        link_id = "{" + link_id + "}"
    elif case == "soft-deleted":
        world.soft_delete([link_id])
    elif case == "erased":
        world.erase_one(link_id)

    for body in ({"title": "New"}, {"externalId": "claimed"}):
        assert put(world, link_id, body) == (
            404,
            {"statusCode": 404, "error": "Not Found", "message": "Link not found"},
        )

    assert owner_of_external_id(world, "claimed") is None
    if case == "soft-deleted":
        assert world.link(link_id).title is None
        assert not world.live(link_id)
    elif case == "erased":
        assert not world.exists(link_id)


def test_a_concurrent_update_does_not_revive_a_deleted_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    interleave(monkeypatch, world.stores.links, "get", after=lambda: world.erase_one(link_id))
    with pytest.raises(LinkNotFound):
        update(world, link_id, title="New")

    assert not world.exists(link_id)


def test_concurrent_updates_lose_nothing(world: World) -> None:
    [link_id] = world.create()
    fields = {
        "title": "t",
        "description": "d",
        "iosUrl": "https://example.com/ios",
        "androidUrl": "https://example.com/android",
        "webFallbackUrl": "https://example.com/web",
        "isActive": False,
    }

    updates = at_once(partial(update, world, link_id, **{k: v}) for k, v in fields.items())
    assert not any(isinstance(each, Exception) for each in updates)

    after = world.link(link_id)
    assert {name: getattr(after, FIELDS[name]) for name in fields} == fields


def test_an_external_id_moves_with_its_link_and_frees_the_old_one(world: World) -> None:
    first, second = world.create(1, externalId="one") + world.create()

    assert update(world, first, externalId="two", title="New").external_id == "two"
    assert update(world, second, externalId="one").external_id == "one"

    assert owner_of_external_id(world, "two") == first
    assert owner_of_external_id(world, "one") == second
    assert world.link(first).title == "New"


def test_a_cleared_external_id_is_free(world: World) -> None:
    [link_id] = world.create(1, externalId="one")

    assert update(world, link_id, externalId=None).external_id is None

    assert owner_of_external_id(world, "one") is None


def test_a_taken_external_id_is_a_conflict_and_changes_nothing(world: World) -> None:
    [first], [second] = world.create(1, externalId="one"), world.create(1, externalId="two")

    with pytest.raises(Conflict):
        update(world, second, externalId="one", title="New")

    assert owner_of_external_id(world, "one") == first
    assert world.link(second).external_id == "two"
    assert world.link(second).title is None


def test_of_many_links_that_want_one_external_id_exactly_one_gets_it(world: World) -> None:
    ids = world.create(6)

    results = at_once(partial(update, world, each, externalId="wanted") for each in ids)

    assert sum(isinstance(each, Conflict) for each in results) == 5
    won = [each for each, got in zip(ids, results, strict=True) if not isinstance(got, Conflict)]
    assert won == [owner_of_external_id(world, "wanted")]


def test_parallel_external_ids_of_one_link_leave_one(world: World) -> None:
    [link_id] = world.create(1, externalId="start")
    wanted = [f"id-{n}" for n in range(6)]

    updates = at_once(partial(update, world, link_id, externalId=value) for value in wanted)
    assert not any(isinstance(each, Exception) for each in updates)

    kept = world.link(link_id).external_id
    owned = [value for value in ["start", *wanted] if owner_of_external_id(world, value)]
    assert owned == [kept]


def test_erasing_a_link_that_just_got_an_external_id_frees_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    batches = world.stores.links.batches
    late = partial(update, world, link_id, externalId="late")
    interleave(monkeypatch, batches, "states", after=late)
    world.erase_one(link_id)

    assert not world.exists(link_id)
    assert owner_of_external_id(world, "late") is None


def test_a_campaign_counts_in_the_length_of_every_destination(world: World) -> None:
    """2,048 characters, as it is sent: `?utm_source=` and 33 percent-encoded letters are 210."""
    fits = "https://example.com/" + "a" * (2048 - 20 - 210)
    [link_id] = world.create(iosUrl=fits + "a")
    assert put(world, link_id, {"originalUrl": fits})[0] == 200

    status, error = put(world, link_id, {"utmParameters": {"source": "é" * 33}})

    assert (status, error["details"]) == (
        400,
        ["iosUrl: at most 2,048 characters when percent-encoded with utmParameters"],
    )
    assert world.link(link_id).utm_parameters is None
    status, _ = put(world, link_id, {"utmParameters": {"source": "é" * 33}, "iosUrl": fits})
    assert status == 200
    status, error = put(world, link_id, {"originalUrl": fits + "a"})
    assert (status, error["details"][0][:11]) == (400, "originalUrl")
    status, _ = put(world, link_id, {"originalUrl": fits + "a", "utmParameters": None})
    assert status == 200


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({}, {}),
        ({"title": None}, {"title": None}),
        (
            {"originalUrl": "https://example.com/new", "isActive": False},
            {"originalUrl": "https://example.com/new", "isActive": False},
        ),
        ({"utmParameters": {"source": "mail"}}, {"utmParameters": {"source": "mail"}}),
    ],
)
def test_a_write_only_key_gets_the_fields_it_wrote(
    world: World, body: dict[str, Any], more: dict[str, Any]
) -> None:
    [link_id] = world.create(title="secret", description="secret", externalId="secret")
    status, result = world.call(
        links, "PUT /api/links/{id}", at=link_id, body=body, scopes="linksWrite"
    )

    assert status == 200
    now = world.link(link_id)
    if "utmParameters" in more:
        more = {"utmParameters": now.utm_parameters}
    assert result == {"id": link_id, "updatedAt": now.updated_at} | more
    assert WRITTEN.is_valid(result)


def test_a_write_only_response_has_every_writable_field() -> None:
    fields = WrittenLink.__annotations__.keys()
    assert fields == LinkChanges.model_fields.keys() | {"id", "updatedAt"}


class TestLateRepetitions:
    """A call that the SDK gave up and repeated may still be carried out, seconds later."""

    @pytest.fixture
    def calls(self, world: World, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """The parameters of every update of a link."""
        seen: list[dict[str, Any]] = []
        update_item = world.dynamodb.update_item

        def recorded(**parameters: Any) -> Any:
            if parameters["TableName"] == world.stores.links.name:
                seen.append(parameters)
            return update_item(**parameters)

        monkeypatch.setattr(world.dynamodb, "update_item", recorded)
        return seen

    def test_an_update_does_not_replace_a_later_one(
        self, world: World, calls: list[dict[str, Any]]
    ) -> None:
        [link_id] = world.create(title="none")
        update(world, link_id, title="first")
        update(world, link_id, title="second")

        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            world.dynamodb.update_item(**calls[0])

        assert world.link(link_id).title == "second"

    def test_an_update_whose_response_was_lost_is_recognised(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [link_id] = world.create(title="none")
        update_item = world.dynamodb.update_item

        def twice(**parameters: Any) -> Any:
            update_item(**parameters)
            return update_item(**parameters)

        monkeypatch.setattr(world.dynamodb, "update_item", twice)

        assert update(world, link_id, title="first", description=None).title == "first"

    def test_another_update_of_the_same_millisecond_is_not_lost(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two updates read the link at once and have the same time: both are applied."""
        [link_id] = world.create(title="none", description="none")
        update_item = world.dynamodb.update_item
        monkeypatch.setattr("functions.domain.clock.time.time", lambda: 1_000_000_000.0)
        done: list[str] = []

        def after_another(**parameters: Any) -> Any:
            if not done:
                done.append("once")
                update(world, link_id, description="other")
            return update_item(**parameters)

        monkeypatch.setattr(world.dynamodb, "update_item", after_another)
        updated = update(world, link_id, title="mine")

        assert (updated.title, updated.description) == ("mine", "other")
        assert world.link(link_id) == updated

    def test_a_clock_that_is_behind_does_not_hide_an_update(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [link_id] = world.create(title="none")
        monkeypatch.setattr("functions.domain.clock.time.time", lambda: 1_000_000_000.0)

        first = update(world, link_id, title="first")
        second = update(world, link_id, title="second")

        assert second.title == "second"
        assert first.created_at < first.updated_at < second.updated_at
