"""The published examples of both contracts, with only host, key and ids replaced."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest

from local.demo_data import Workspace
from local.stack import LocalStack
from tests.support.http_client import Client

ARABIC = {
    "Invalid request": "طلب غير صالح",
    "Invalid API key": "مفتاح API غير صالح",
    "Missing required scopes": "الصلاحيات المطلوبة مفقودة",
}


@pytest.fixture
def api(stack: LocalStack, workspace: Workspace) -> Client:
    return Client(stack.base_url, workspace.api_key)


def curl(*arguments: str) -> tuple[int, Any]:
    """Run curl as the documentation shows it; status and parsed body."""
    done = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "-w",
            "\n%{http_code}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def fetch(base_url: str, key: str, body: str | None) -> tuple[int, Any]:
    """Hoko's JavaScript example under Node."""
    script = f"""
const response = await fetch("{base_url}/api/links", {{
  method: "DELETE",
  headers: {{
    "Authorization": "Bearer {key}",
    "Content-Type": "application/json"
  }},
  body: {body or "undefined"}
}});
const result = await response.json();
console.log(JSON.stringify([response.status, result]));
"""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    status, response = json.loads(done.stdout)
    return status, response


# -- Hoko: DELETE /api/links ----------------------------------------------------------------


def test_hoko_curl_deletes_and_the_link_vanishes(api: Client) -> None:
    link = api.create()

    status, body = curl(
        "-X", "DELETE", f"{api.base_url}/api/links",
        "-H", f"Authorization: Bearer {api.key}",
        "-H", "Content-Type: application/json",
        "-d", f'[\n    "{link["id"]}"\n  ]',
    )  # fmt: skip

    assert (status, body) == (200, {"deletedIds": [link["id"]]})
    assert api.get(f"/api/links/{link['id']}").status == 404
    assert api.get(f"/{link['shortCode']}").status == 404
    assert link["id"] not in [each["id"] for each in api.get("/api/links").json["links"]]


def test_hoko_fetch_deletes(api: Client) -> None:
    link = api.create()

    status, body = fetch(api.base_url, api.key, f'JSON.stringify(["{link["id"]}"])')

    assert (status, body) == (200, {"deletedIds": [link["id"]]})


def test_hoko_malformed_id(api: Client) -> None:
    expected = {"en": "Invalid request", "ar": ARABIC["Invalid request"]}

    status, body = curl(
        "-X", "DELETE", f"{api.base_url}/api/links",
        "-H", f"Authorization: Bearer {api.key}",
        "-H", "Content-Type: application/json",
        "-d", '[\n    "invalid-id"\n  ]',
    )  # fmt: skip

    assert status == 400
    assert body["error"] == expected
    assert body["invalidIds"] == ["invalid-id"]
    assert fetch(api.base_url, api.key, 'JSON.stringify(["invalid-id"])') == (400, body)


def test_hoko_wrong_key(api: Client) -> None:
    expected = {"en": "Invalid API key", "ar": ARABIC["Invalid API key"]}

    status, body = curl(
        "-X", "DELETE", f"{api.base_url}/api/links", "-H", "Authorization: Bearer invalid_key"
    )

    assert (status, body["error"]) == (401, expected)
    status, body = fetch(api.base_url, "invalid_key", None)
    assert (status, body["error"]) == (401, expected)


def test_hoko_missing_scope(api: Client, workspace: Workspace) -> None:
    expected = {
        "error": {"en": "Missing required scopes", "ar": ARABIC["Missing required scopes"]},
        "missingScopes": ["linksWrite"],
    }

    response = curl(
        "-X", "DELETE", f"{api.base_url}/api/links",
        "-H", f"Authorization: Bearer {workspace.read_key}",
    )  # fmt: skip

    assert response == (403, expected)
    assert fetch(api.base_url, workspace.read_key, None) == (403, expected)


# -- LinkForty: DELETE /api/links/:id ---------------------------------------------------------


def test_linkforty_curl_erases_and_the_code_is_free_at_once(api: Client) -> None:
    code = f"t-{uuid.uuid4().hex[:10]}"
    link = api.create(shortCode=code)
    assert api.get(f"/{code}").status == 302

    erase = (
        "-X", "DELETE", f"{api.base_url}/api/links/{link['id']}",
        "-H", f"Authorization: Bearer {api.key}",
    )  # fmt: skip
    assert curl(*erase) == (200, {"success": True})
    assert curl(*erase) == (
        404,
        {"statusCode": 404, "error": "Not Found", "message": "Link not found"},
    )
    assert api.get(f"/{code}").status == 404

    renewed = api.create(shortCode=code, originalUrl="https://example.com/second")
    assert renewed["id"] != link["id"]
    assert renewed["clickCount"] == 0
    assert api.get(f"/{code}").headers["location"] == "https://example.com/second"


def test_linkforty_bulk_delete_answers_per_id(api: Client, other_workspace: Workspace) -> None:
    own = [api.create()["id"], api.create()["id"]]
    foreign = Client(api.base_url, other_workspace.api_key).create()["id"]
    unknown = str(uuid.uuid4())

    status, body = curl(
        "-X", "POST", f"{api.base_url}/api/links/bulk-delete",
        "-H", f"Authorization: Bearer {api.key}",
        "-H", "Content-Type: application/json",
        "-d", json.dumps({"ids": [own[0], unknown, "link_1", foreign, own[1]]}),
    )  # fmt: skip

    assert status == 200
    assert body == {
        "success": True,
        "deletedIds": own,
        "notFoundIds": [unknown, foreign, "link_1"],
    }
    assert Client(api.base_url, other_workspace.api_key).get(f"/api/links/{foreign}").status == 200


# -- 10,000 -----------------------------------------------------------------------------------


@pytest.mark.at_end
def test_ten_thousand_links_are_deleted_by_one_request_in_its_order(api: Client) -> None:
    ids: list[str] = []
    for _ in range(10):
        new = [{"originalUrl": f"https://example.com/{n}"} for n in range(1000)]
        response = api.post("/api/links", new)
        assert response.status == 201
        ids += [link["id"] for link in response.json]
    ids.reverse()
    key = {"Idempotency-Key": str(uuid.uuid4())}

    response = api.delete("/api/links", ids, headers=key)

    assert response.status == 200
    assert response.json == {"deletedIds": ids}
    assert api.get("/api/links").json["links"] == []
    again = api.delete("/api/links", ids, headers=key)
    assert again.json == response.json
    assert again.headers["x-deletion-id"] == response.headers["x-deletion-id"]


# -- bad input --------------------------------------------------------------------------------

BRACED = "{550e8400-e29b-41d4-a716-446655440000}"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        b"null",
        b"17",
        b'"text"',
        b"[null]",
        b"[1]",
        b"[[]]",
        b"[NaN]",
        b"\xff\xfe",
        json.dumps([BRACED]).encode(),
        b'["550e8400e29b41d4a716446655440000"]',
        b'["urn:uuid:550e8400-e29b-41d4-a716-446655440000"]',
        b"[" * 2000 + b"]" * 2000,
        json.dumps([str(uuid.uuid4())] * 10_001).encode(),
    ],
    ids=lambda raw: raw[:24].decode(errors="replace"),
)
def test_a_bad_body_gets_a_bilingual_400_and_changes_nothing(api: Client, raw: bytes) -> None:
    kept = api.create()["id"]

    response = api.send("DELETE", "/api/links", raw)

    assert response.status == 400
    assert response.json["error"] == {"en": "Invalid request", "ar": ARABIC["Invalid request"]}
    assert api.get(f"/api/links/{kept}").status == 200


@pytest.mark.parametrize("case", ["foreign", "deleted", "unknown"])
def test_one_bad_id_among_good_ones_changes_nothing(
    api: Client, other_workspace: Workspace, case: str
) -> None:
    kept = [api.create()["id"], api.create()["id"]]
    if case == "foreign":
        bad = Client(api.base_url, other_workspace.api_key).create()["id"]
    elif case == "deleted":
        bad = api.create()["id"]
        api.delete("/api/links", [bad])
    else:
        bad = str(uuid.uuid4())

    response = api.delete("/api/links", [kept[0], bad, kept[1]])

    assert response.status == 400
    assert response.json["unknownIds"] == [bad]
    assert all(api.get(f"/api/links/{link_id}").status == 200 for link_id in kept)


def test_the_free_plan_accepts_a_hundred_ids(stack: LocalStack, free_workspace: Workspace) -> None:
    api = Client(stack.base_url, free_workspace.api_key)

    response = api.delete("/api/links", [str(uuid.uuid4())] * 101)

    assert response.status == 400
    assert response.json["limit"] == 100


def test_a_body_of_seven_megabytes_gets_413(api: Client) -> None:
    response = api.send("DELETE", "/api/links", b" " * 7_000_000 + b"[]")

    assert response.status == 413
    assert response.json["statusCode"] == 413
    assert set(response.json["error"]) == {"en", "ar"}


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer ul_live_x"]
)
def test_an_invalid_credential_gets_the_401_of_both_contracts(
    api: Client, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    response = Client(api.base_url, "").send("GET", "/api/links", headers=headers)

    assert response.status == 401
    assert response.json == {
        "statusCode": 401,
        "error": {"en": "Invalid API key", "ar": ARABIC["Invalid API key"]},
        "message": "Authentication required",
    }


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/nothing"), ("POST", "/a/b/c"), ("PATCH", "/api/links/a/b")]
)
def test_an_unknown_route_gets_404(api: Client, method: str, path: str) -> None:
    response = api.send(method, path)

    assert response.status == 404
    assert response.json["statusCode"] == 404


def test_every_function_response_has_rate_limit_headers(api: Client) -> None:
    headers = api.get("/api/links").headers

    limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
    assert limit == 10_000
    assert 0 <= remaining < limit
    assert headers["x-request-id"]
    assert headers["ratelimit"].startswith('"enterprise";r=')


def test_the_key_is_accepted_without_the_word_bearer(api: Client) -> None:
    response = Client(api.base_url, "").send(
        "GET", "/api/links", headers={"Authorization": api.key}
    )

    assert response.status == 200
