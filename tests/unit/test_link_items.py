"""Links and their items."""

from __future__ import annotations

from typing import Any

import pytest

from functions.domain.link import FIELDS, Link
from functions.repositories.link_items import decode_link, encode_link, link_key, link_of_key
from tests.support.links import a_link

#: A value for each field that is not what a link has without it.
FULL: dict[str, Any] = {
    "is_active": False,
    "user_id": "user",
    "title": "Spring",
    "description": "About spring",
    "tags": ["a", "b"],
    "ios_url": "https://example.com/ios",
    "android_url": "https://example.com/android",
    "web_fallback_url": "https://example.com/web",
    "utm_parameters": {"source": "mail"},
    "external_id": "crm-17",
    "expires_at": "2030-01-01T00:00:00.000Z",
    "forward_query": False,
    "click_count": 7,
    "last_click_at": "2026-02-01T00:00:00.000Z",
    "counted_days": {"2026-02-01": 7},
    "fencing_token": "019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b",
    "qr_keys": {"qr/ws/link/a.png"},
    "ttl": 1_900_000_000,
    "policies": {"retentionDays": 30, "cascadeInstalls": True},
    "click_retention_days": 0,
    "one_partition": True,
}


def test_a_link_survives_its_item() -> None:
    for link in (a_link(), a_link(**FULL)):
        assert decode_link(encode_link(link)) == link
    deleted = {"is_live", "deleted_at", "deletion_id"}
    given = {"id", "workspace_id", "short_code", "original_url", "created_at", "updated_at"}
    assert set(Link._fields) == set(FULL) | deleted | given


def test_a_soft_deleted_link_is_not_live() -> None:
    item = encode_link(a_link())
    del item["livePk"], item["liveSk"]
    item["deletionId"] = {"S": "019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b"}
    item["deletedAt"] = {"S": "2026-02-01T00:00:00.000Z"}

    link = decode_link(item)

    assert (link.is_live, link.deleted_at) == (False, "2026-02-01T00:00:00.000Z")
    assert not link.redirects("2026-02-01T00:00:00.000Z")


def test_defaults_are_not_stored() -> None:
    assert not encode_link(a_link()).keys() & {
        "tags",
        "title",
        "forwardQuery",
        "qrKeys",
        "isLive",
        "onePartition",
    }


@pytest.mark.parametrize(
    "name", sorted(set(FULL) - {"is_active", "click_count", "fencing_token", "user_id"})
)
def test_none_clears_a_field(name: str) -> None:
    [in_the_api] = [api for api, field in FIELDS.items() if field == name]
    cleared = a_link(**FULL).with_changes({in_the_api: None})
    assert cleared == a_link(**{**FULL, name: getattr(a_link(), name)})


@pytest.mark.parametrize(
    ("fields", "redirects"),
    [
        ({}, True),
        ({"is_active": False}, False),
        ({"is_live": False}, False),
        ({"expires_at": "2026-01-01T00:00:00.000Z"}, False),
        ({"expires_at": "2026-01-01T00:00:00.001Z"}, True),
    ],
)
def test_only_a_live_active_unexpired_link_redirects(
    fields: dict[str, Any], redirects: bool
) -> None:
    assert a_link(**fields).redirects("2026-01-01T00:00:00.000Z") is redirects


def test_the_key_of_a_link_names_it() -> None:
    assert link_of_key(link_key("ws", "id")) == ("ws", "id")
    assert link_of_key({"pk": {"S": "CODE#spring"}, "sk": {"S": "CODE"}}) is None
    for malformed in ("id", "#id", "ws#"):
        with pytest.raises(ValueError, match="not the key of a link"):
            link_of_key({"pk": {"S": malformed}, "sk": {"S": "LINK"}})
