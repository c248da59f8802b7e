"""Every route of the document with every kind of credential, over HTTP; and how often."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from admin import commands
from functions.domain.api_keys import generate_api_key
from functions.domain.clock import iso
from functions.domain.plans import SCOPES
from functions.domain.scopes import ROLES
from local.demo_data import Workspace
from local.stack import LocalStack
from tests.support import tokens
from tests.support.http_client import Client, Response
from tests.support.openapi import operations
from tests.support.scans import scan


@dataclass
class Things:
    """The resources of a workspace that requests can name."""

    link: str
    code: str
    deletion: str


@dataclass(frozen=True)
class Rule:
    """Who may use a route: `scope` None is everybody, `ANY_KEY` is every credential.

    A valid request has these path parameters and this body. `done` are the statuses of its
    response, `foreign` those for resources of another workspace, which are the same as for unknown
    ids.
    """

    scope: str | None
    body: Callable[[Things], Any] = lambda _: None
    done: tuple[int, ...] = (200,)
    foreign: tuple[int, ...] = (404,)
    path: Callable[[Things], dict[str, str]] = lambda t: {"id": t.link}


#: The scope of a route that is open to every credential of a workspace.
ANY_KEY = ""

NEW_LINK = {"originalUrl": "https://example.com/matrix"}
NEW_KEY = {"name": "n", "scopes": ["admin"]}


def of_deletion(about: Things) -> dict[str, str]:
    return {"id": about.deletion}


def of_code(about: Things) -> dict[str, str]:
    return {"id": about.code, "code": about.code}


def of_nothing(about: Things) -> dict[str, str]:
    """What does not exist: the keys of the matrix are needed, and an owner gets the 404 too."""
    return {"id": f"key-{about.link}", "asset": "none.js"}


def of_unknown_export(about: Things) -> dict[str, str]:
    return {"id": about.link, "exportId": about.deletion}


#: One rule per route. A new route needs a rule here.
RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/api/me"): Rule(ANY_KEY, foreign=(200,)),
    ("POST", "/api/links"): Rule("linksWrite", lambda _: NEW_LINK, (201,), (201,)),
    ("GET", "/api/links"): Rule("linksRead", foreign=(200,)),
    ("GET", "/api/links/{id}"): Rule("linksRead"),
    ("GET", "/api/links/{id}/qr"): Rule("linksRead", path=of_code),
    ("PUT", "/api/links/{id}"): Rule("linksWrite", lambda _: {"title": "changed"}),
    ("DELETE", "/api/links"): Rule("linksWrite", lambda t: [t.link], foreign=(400,)),
    ("DELETE", "/api/links/{id}"): Rule("linksErase"),
    ("POST", "/api/links/bulk-delete"): Rule(
        "linksErase", lambda t: {"ids": [t.link]}, foreign=(200,)
    ),
    ("POST", "/api/deletions"): Rule("linksWrite", lambda t: {"ids": [t.link]}, foreign=(400,)),
    ("GET", "/api/deletions"): Rule("linksRead", foreign=(200,)),
    ("GET", "/api/deletions/{id}"): Rule("linksRead", path=of_deletion),
    ("POST", "/api/deletions/{id}/restore"): Rule("linksRestore", path=of_deletion),
    ("GET", "/api/keys"): Rule("admin", foreign=(200,)),
    ("POST", "/api/keys"): Rule("admin", lambda _: NEW_KEY, (201,), (201,)),
    ("DELETE", "/api/keys/{id}"): Rule("admin", done=(404,), path=of_nothing),
    # Of a soft delete, which has no receipt.
    ("GET", "/api/receipts/{id}"): Rule("linksRead", done=(404,), path=of_deletion),
    ("GET", "/.well-known/jwks.json"): Rule(None, foreign=(200,)),
    ("GET", "/api/trash"): Rule("linksRead", foreign=(200,)),
    ("GET", "/api/analytics/links/{id}"): Rule("analyticsRead"),
    ("POST", "/api/analytics/links/{id}/export"): Rule("analyticsRead", done=(202,)),
    ("GET", "/api/analytics/links/{id}/export/{exportId}"): Rule(
        "analyticsRead", done=(404,), path=of_unknown_export
    ),
    # The link has no clicks, so the install cannot be attributed.
    ("POST", "/api/installs"): Rule("linksWrite", lambda t: {"linkId": t.link}, (409,)),
    ("GET", "/{code}"): Rule(None, done=(302,), foreign=(302,), path=of_code),
    ("HEAD", "/{code}"): Rule(None, done=(302,), foreign=(302,), path=of_code),
    ("GET", "/api/docs"): Rule(None, foreign=(200,)),
    ("GET", "/api/docs/{asset}"): Rule(None, done=(404,), path=of_nothing),
    ("GET", "/console"): Rule(None, foreign=(200,)),
    ("GET", "/console/{asset}"): Rule(None, done=(404,), path=of_nothing),
    ("GET", "/api/openapi.json"): Rule(None, foreign=(200,)),
}

KEYED = sorted(route for route, rule in RULES.items() if rule.scope is not None)
OPEN = sorted(route for route, rule in RULES.items() if rule.scope is None)


def test_every_route_has_an_access_rule(stack: LocalStack) -> None:
    assert set(operations()) == set(RULES)
    assert set(stack.routes()) == set(RULES)


def test_the_document_states_the_scopes_of_each_route(stack: LocalStack) -> None:
    for route, operation in operations().items():
        scopes = [scope for entry in operation["security"] for scope in entry.values()]
        documented = set().union(*scopes)
        scope = RULES[route].scope
        assert (scope in documented) if scope else not documented, route


# -- the credentials ------------------------------------------------------------------------


@dataclass
class Setting:
    """A workspace with resources, and credentials of every kind."""

    owner: Workspace
    bad: dict[str, str]
    single: dict[str, str]
    sessions: dict[str, str]
    foreign: str


@pytest.fixture(scope="module")
def setting(stack: LocalStack) -> Setting:
    owner, other = stack.new_workspace(), stack.new_workspace()
    access = stack.access
    revoked, record = commands.issue_key(
        access.deployment, owner.workspace_id, name="revoked", scopes=SCOPES
    )
    commands.revoke_key(access.deployment, owner.workspace_id, record["keyId"])
    expired = access.add_key(
        owner.workspace_id, "expired", SCOPES, expires_at=iso(time.time() + 0.2)
    )
    signed_in = {}
    for role in ROLES:
        user = access.add_user(f"{role}-{uuid.uuid4().hex[:8]}@example.com")
        access.add_member(owner.workspace_id, user, role=role)
        signed_in[role] = access.sign_in(user)
    stranger = access.add_user(f"stranger-{uuid.uuid4().hex[:8]}@example.com")
    good = signed_in["owner"]
    claims = jwt.decode(good, options={"verify_signature": False})
    bad = {
        "no credentials": "",
        "garbage": "garbage",
        "a basic password": "Basic dXNlcjpwYXNz",
        "a key that nobody issued": generate_api_key(),
        "a mistyped key": owner.api_key[:-1] + ("x" if owner.api_key[-1] != "x" else "y"),
        "revoked key": revoked,
        "expired key": expired,
        "session of no member": access.sign_in(stranger),
        "id token": _id_token(stack, access, "owner"),
        "expired session": _signed_by_the_pool(stack, claims | {"exp": int(time.time()) - 1}),
        "session with alg none": _unsigned(good),
        "session of another issuer": _signed_by_the_pool(
            stack, claims | {"iss": claims["iss"] + "x"}
        ),
        "session of another client": _signed_by_the_pool(stack, claims | {"client_id": "other"}),
        "session signed by another": jwt.encode(
            claims,
            tokens.private_key("key-1"),
            algorithm="RS256",
            headers={"kid": jwt.get_unverified_header(good)["kid"]},
        ),
        "changed session": _promoted(signed_in["viewer"], good),
    }
    # This token proves that hand-made tokens are valid in principle, so the forgeries above are
    # meaningful.
    by_hand = Client(stack.base_url, _signed_by_the_pool(stack, claims))
    assert by_hand.get("/api/links").status == 200
    return Setting(
        owner,
        bad,
        {scope: access.add_key(owner.workspace_id, scope, [scope]) for scope in SCOPES},
        signed_in,
        access.add_key(other.workspace_id, "foreign", SCOPES),
    )


def _signed_by_the_pool(stack: LocalStack, claims: dict[str, Any]) -> str:
    """A token signed with the pool's own key, which the emulator keeps in a file."""
    pool = stack.outputs["UserPoolId"]
    path = stack.emulator.state_directory / "cognito-pool-keys" / f"{pool}-access.pem"
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    key: Any = load_pem_private_key(path.read_bytes(), password=None)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = base64.b64encode(hashlib.sha256(public).digest()).decode()
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def _id_token(stack: LocalStack, access: Any, role: str) -> str:
    user = access.add_user(f"id-{uuid.uuid4().hex[:8]}@example.com")
    access.add_member(stack.new_workspace().workspace_id, user, role=role)
    response = stack.client("cognito-idp").admin_initiate_auth(
        UserPoolId=stack.outputs["UserPoolId"],
        ClientId=stack.outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user.email, "PASSWORD": user.password},
    )
    return str(response["AuthenticationResult"]["IdToken"])


def _unsigned(token: str) -> str:
    header = jwt.get_unverified_header(token) | {"alg": "none"}
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def _promoted(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


# -- the matrix -----------------------------------------------------------------------------


def things(stack: LocalStack, workspace: Workspace) -> Things:
    """New ones, because valid requests consume them."""
    api = Client(stack.base_url, workspace.admin_key)
    link = api.create(title="matrix")
    spent = api.create()["id"]
    deletion = api.delete("/api/links", [spent]).headers["x-deletion-id"]
    return Things(link["id"], link["shortCode"], deletion)


def ask(stack: LocalStack, route: tuple[str, str], credential: str, about: Things) -> Response:
    method, path = route
    body = RULES[route].body(about)
    raw = None if body is None else json.dumps(body).encode()
    for name, value in RULES[route].path(about).items():
        path = path.replace(f"{{{name}}}", value)
    return Client(stack.base_url, credential).send(method, path, raw)


def state(stack: LocalStack, about: Things) -> dict[str, str]:
    """The stored items of these resources, and the keys of all links and deletions.

    By table and key, with a digest for what is of the things. Of other tests' things erasing may
    still be going on in the background.
    """
    found = {}
    for table in ("Links", "Clicks", "Deletions", "Access"):
        for item in scan(stack.emulator.url, stack.outputs[f"{table}TableName"]):
            text = repr(sorted(item.items()))
            key = f"{table} {item['pk']['S']} {item['sk']['S']}"
            if about.link in text or about.code in text or about.deletion in text:
                found[key] = hashlib.sha256(text.encode()).hexdigest()
            elif "service" in item.get("actor", {}).get("M", {}):
                # Written when a link's retention ends, at any time.
                continue
            elif table == "Links" or (table == "Deletions" and "#" not in key):
                found[key] = ""
    return found


@pytest.mark.parametrize("route", KEYED, ids=" ".join)
def test_a_bad_credential_is_refused_and_changes_nothing(
    stack: LocalStack, setting: Setting, route: tuple[str, str]
) -> None:
    about = things(stack, setting.owner)
    before = state(stack, about)
    for name, credential in setting.bad.items():
        response = ask(stack, route, credential, about)
        assert response.status == 401, name
        assert response.json == {
            "statusCode": 401,
            "error": {"en": "Invalid API key", "ar": "مفتاح API غير صالح"},
            "message": "Authentication required",
        }
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["x-request-id"]
    assert state(stack, about) == before


@pytest.mark.parametrize("route", KEYED, ids=" ".join)
def test_each_scope_allows_its_routes_and_no_others(
    stack: LocalStack, setting: Setting, route: tuple[str, str]
) -> None:
    rule = RULES[route]
    about = things(stack, setting.owner)
    before = state(stack, about)
    if rule.scope == ANY_KEY:
        for key in setting.single.values():
            assert ask(stack, route, key, about).status in rule.done
        return
    for scope, key in setting.single.items():
        if scope == rule.scope or (route == ("POST", "/api/deletions") and scope == "linksErase"):
            continue
        response = ask(stack, route, key, about)
        assert response.status == 403, scope
        assert response.json["missingScopes"] == [rule.scope]
        assert response.headers["x-ratelimit-remaining"]
    assert state(stack, about) == before
    assert ask(stack, route, setting.single[rule.scope or ""], about).status in rule.done


@pytest.mark.parametrize("route", KEYED, ids=" ".join)
def test_a_session_has_the_scopes_of_its_role(
    stack: LocalStack, setting: Setting, route: tuple[str, str]
) -> None:
    rule = RULES[route]
    about = things(stack, setting.owner)
    for role in ("viewer", "owner"):
        response = ask(stack, route, setting.sessions[role], about)
        may = rule.scope in (*ROLES[role], ANY_KEY)
        assert response.status in (rule.done if may else (403,)), role
        if may and route[0] == "GET":
            about = things(stack, setting.owner)


@pytest.mark.parametrize("route", KEYED, ids=" ".join)
def test_another_workspace_gets_the_response_of_a_missing_resource(
    stack: LocalStack, setting: Setting, route: tuple[str, str]
) -> None:
    """Same status, body and headers (except those of the request), and no change."""
    rule = RULES[route]
    about = things(stack, setting.owner)
    before = state(stack, about)
    absent = Things(str(uuid.uuid4()), "nowhere-1", str(uuid.uuid4()))
    foreign = ask(stack, route, setting.foreign, about)
    nobodys = ask(stack, route, setting.foreign, absent)
    assert foreign.status in rule.foreign
    assert comparable(foreign, about) == comparable(nobodys, absent)
    after = state(stack, about)
    assert {key: after.get(key) for key in before} == before


#: Differ between any two requests.
OWN = {
    "x-request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "date",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit",
    "x-deletion-id",
    "location",
    "content-length",
}


def comparable(response: Response, about: Things) -> Any:
    """A response without the requested ids and without new ids and times."""
    text = response.body.decode("utf-8", "replace")
    for name, value in (("link", about.link), ("code", about.code), ("deletion", about.deletion)):
        text = text.replace(value, f"<{name}>")
    # Of `GET /api/me`: each request counts.
    text = re.sub(r'("remaining"|"reset"):[0-9]+', r"\1:0", text)
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    if response.status == 201:
        return response.status, set(response.json), headers
    return response.status, text, headers


@pytest.mark.parametrize("route", OPEN, ids=" ".join)
def test_open_routes_ignore_the_credential(
    stack: LocalStack, setting: Setting, route: tuple[str, str]
) -> None:
    about = things(stack, setting.owner)
    for credential in ("", "garbage", setting.bad["revoked key"], setting.single["admin"]):
        assert ask(stack, route, credential, about).status in RULES[route].done


def test_no_log_contains_a_credential(stack: LocalStack, setting: Setting) -> None:
    """The emulator's log has what the functions print; their log groups have it too."""
    logs = stack.client("logs")
    text = stack.emulator.log_path.read_text(errors="replace")
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        text += "".join(event["message"] for page in pages for event in page["events"])
    assert '"route"' in text
    secrets = [*setting.bad.values(), *setting.single.values(), *setting.sessions.values()]
    secrets += [setting.owner.api_key, setting.owner.admin_key, setting.foreign]
    for secret in secrets:
        if len(secret) > 20:
            assert secret not in text
            assert secret[-20:] not in text


# -- how often ------------------------------------------------------------------------------


def test_parallel_clients_of_one_key_get_exactly_the_limit(stack: LocalStack) -> None:
    """Requests over the limit of the free plan, from 4 clients at once: 100 pass in a window.

    A slow machine spreads them over several windows; each is exact by itself. If the counter does
    not respond in time, a request passes uncounted, without rate headers. Then all is tried again
    with a new key.
    """

    def send(key: str, times: int) -> list[Response]:
        client = Client(stack.base_url, key)
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: client.get("/api/links?limit=1"), range(times)))

    def send_beyond_the_limit(key: str) -> list[Response]:
        responses: list[Response] = []
        for _ in range(5):
            responses += send(key, 120)
            if any(response.status == 429 for response in responses):
                break
        assert {response.status for response in responses} == {200, 429}
        return responses

    # Functions start now and not within the window; another key counts for itself.
    other = stack.new_workspace("free")
    assert {response.status for response in send(other.read_key, 20)} == {200}

    for _ in range(5):
        responses = send_beyond_the_limit(stack.new_workspace("free").read_key)
        uncounted = [each for each in responses if "x-ratelimit-reset" not in each.headers]
        assert all(response.status == 200 for response in uncounted)
        if not uncounted:
            break
    assert not uncounted, "the counter never responded to all requests in time"

    statuses: dict[int, Counter[int]] = defaultdict(Counter)
    places: dict[int, Counter[int]] = defaultdict(Counter)
    for response in responses:
        reset = int(response.headers["x-ratelimit-reset"])
        assert reset % 60 == 0
        statuses[reset][response.status] += 1
        if response.status == 200:
            places[reset][int(response.headers["x-ratelimit-remaining"])] += 1
    assert any(found[429] for found in statuses.values())
    for reset, found in statuses.items():
        passed = min(100, found.total())
        assert found == Counter({200: passed, 429: found.total() - passed})
        assert places[reset] == Counter(range(100 - passed, 100))
    for response in responses:
        assert response.headers["x-ratelimit-limit"] == "100"
        if response.status == 429:
            seconds = response.json["retryAfter"]
            assert response.headers["retry-after"] == str(seconds)
            assert 1 <= seconds <= 60
            assert (
                response.json["message"] == f"Rate limit exceeded. Try again in {seconds} seconds."
            )


def test_a_plan_change_takes_effect(stack: LocalStack) -> None:
    """A new key's first request asks the authorizer, which knows the new plan at once."""
    workspace = stack.new_workspace("free")
    commands.set_workspace(stack.access.deployment, workspace.workspace_id, plan="pro")
    response = Client(stack.base_url, workspace.read_key).get("/api/links")
    assert response.status == 200
    assert response.headers["x-ratelimit-limit"] == "1000"
