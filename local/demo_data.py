"""Workspaces and keys of the local stack, and demo links and clicks, created through the API."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from admin import commands
from admin.commands import Deployment
from functions.domain.plans import SCOPES
from functions.domain.policies import Policies
from local.emulator import Emulator

USER_SCOPES = ("linksRead", "linksWrite", "linksErase", "analyticsRead")
READ_SCOPES = ("linksRead",)

# Real user agents: phones, tablets, desktops, an app's web view, a crawler.
USER_AGENTS = (
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/137.0.0.0 Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/137.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.5 Safari/605.1.15"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0",
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S928B; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Version/4.0 Chrome/136.0.0.0 Mobile Safari/537.36 Instagram 380.0.0.0"
    ),
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
REFERRERS = (None, "https://www.google.com/", "https://www.instagram.com/", "https://t.co/")
LANGUAGES = ("en-GB,en;q=0.9", "ar-EG,ar;q=0.9,en;q=0.5", "de-DE,de;q=0.8")

_CAMPAIGNS = ("spring-sale", "newsletter", "onboarding", "podcast", "conference")
_SHOPS = ("shoes", "coffee", "books", "bikes", "plants")


class SeedError(RuntimeError):
    """The API did not accept the demo data."""


@dataclass(frozen=True)
class Workspace:
    """A workspace and its secret keys."""

    workspace_id: str
    plan: str
    api_key: str
    """linksRead, linksWrite, linksErase, analyticsRead."""
    read_key: str
    """linksRead."""
    admin_key: str
    """Every scope."""


@dataclass(frozen=True)
class User:
    """A user of the pool who can sign in."""

    email: str
    password: str


class Access:
    """Administers workspaces, keys and users of the deployed stack, with the operators' code."""

    def __init__(self, emulator: Emulator, outputs: dict[str, str]) -> None:
        """`outputs` are those of the deployed stack, by name."""
        self.deployment = Deployment.of(outputs, emulator.client)
        self._users = emulator.client("cognito-idp")
        self._outputs = outputs
        self._numbers = count(1)

    def add_workspace(self, workspace_id: str | None = None, *, plan: str) -> Workspace:
        """A workspace in its plan's usage plan, with one key of each kind."""
        workspace_id = workspace_id or f"ws-{next(self._numbers)}-{secrets.token_hex(4)}"
        commands.create_workspace(self.deployment, workspace_id, plan=plan, policies=Policies())
        return Workspace(
            workspace_id=workspace_id,
            plan=plan,
            api_key=self.add_key(workspace_id, "api", USER_SCOPES),
            read_key=self.add_key(workspace_id, "read", READ_SCOPES),
            admin_key=self.add_key(workspace_id, "admin", SCOPES),
        )

    def add_key(
        self,
        workspace_id: str,
        name: str,
        scopes: Sequence[str],
        *,
        expires_at: str | None = None,
    ) -> str:
        """A new API key of the workspace; the key itself is not stored."""
        secret, _ = commands.issue_key(
            self.deployment,
            workspace_id,
            name=name,
            scopes=scopes,
            user_id=f"user-{name}",
            expires_at=expires_at,
        )
        return secret

    def add_user(self, email: str) -> User:
        """A user of the pool with a random password and without a membership."""
        pool, password = self._outputs["UserPoolId"], f"Aa1!{secrets.token_urlsafe(24)}"
        self._users.admin_create_user(
            UserPoolId=pool,
            Username=email,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
            MessageAction="SUPPRESS",
        )
        self._users.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=password, Permanent=True
        )
        return User(email, password)

    def add_member(self, workspace_id: str, user: User, *, role: str = "owner") -> None:
        """Make a user a member of the workspace."""
        commands.add_member(self.deployment, workspace_id, user.email, role=role)

    def sign_in(self, user: User) -> str:
        """A new access token: the session token of the API, valid for an hour."""
        response = self._users.admin_initiate_auth(
            UserPoolId=self._outputs["UserPoolId"],
            ClientId=self._outputs["UserPoolClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user.email, "PASSWORD": user.password},
        )
        return str(response["AuthenticationResult"]["AccessToken"])


def demo_links() -> list[dict[str, Any]]:
    """25 realistic links, as bodies of POST /api/links."""
    links: list[dict[str, Any]] = []
    for number in range(25):
        shop, campaign = _SHOPS[number % 5], _CAMPAIGNS[number // 5]
        link: dict[str, Any] = {
            "originalUrl": f"https://example.com/{shop}?from={campaign}",
            "title": f"{shop.capitalize()}: {campaign.replace('-', ' ')}",
            "tags": [shop, campaign],
            "utmParameters": {"source": "demo", "medium": "link", "campaign": campaign},
            "externalId": f"demo-{number + 1:02}",
        }
        if number % 5 == 0:
            link["customCode"] = f"{campaign}-{shop}"
        if number % 7 == 3:
            link["description"] = "Opens the app where it is installed."
            link["iosUrl"] = f"https://example.com/ios/{shop}"
            link["androidUrl"] = f"https://example.com/android/{shop}"
        links.append(link)
    links[22]["isActive"] = False
    return links


def seed_demo(base_url: str, api_key: str) -> list[dict[str, Any]]:
    """Create the demo links through the API and click on them; returns the links."""
    links: list[dict[str, Any]] = post(base_url, api_key, "/api/links", demo_links())
    with ThreadPoolExecutor(max_workers=2) as pool:
        failures = [failure for failure in pool.map(_click, _visits(base_url, links)) if failure]
    if failures:
        raise SeedError(failures[0])
    return links


@dataclass(frozen=True)
class Shown:
    """The values of the guide's examples."""

    links: list[dict[str, Any]]
    """The demo links."""
    deletion_id: str
    """Of a link outside the demo links, soft-deleted."""
    erasure_id: str
    """Of another such link, erased."""
    export_id: str
    """Of the clicks of the first demo link."""
    key_id: str
    """Of a key that nothing uses."""


def show(base_url: str, workspace: Workspace, links: list[dict[str, Any]]) -> Shown:
    """Delete a link, erase another and request an export, so that the demo has one of each."""
    over = {"originalUrl": "https://example.com/over"}
    deletions = {}
    for mode in ("soft", "erase"):
        link = post(base_url, workspace.api_key, "/api/links", over)
        deletion = {"ids": [link["id"]], "mode": mode, "reason": "campaign is over"}
        deletions[mode] = post(base_url, workspace.api_key, "/api/deletions", deletion)["id"]
    export = post(base_url, workspace.api_key, f"/api/analytics/links/{links[0]['id']}/export", {})
    spare = {"name": "spare", "scopes": ["linksRead"]}
    key = post(base_url, workspace.admin_key, "/api/keys", spare)
    return Shown(links, deletions["soft"], deletions["erase"], export["id"], key["keyId"])


def post(base_url: str, key: str, path: str, body: Any) -> Any:
    """The response to a POST with a key; raises `SeedError`."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    status, response = _request(
        base_url, "POST", path, headers=headers, body=json.dumps(body).encode()
    )
    if status not in (200, 201, 202):
        raise SeedError(f"POST {path} answered {status}: {response[:500].decode(errors='replace')}")
    return json.loads(response)


def _visits(
    base_url: str, links: list[dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(base URL, code, headers) of each click; popular links have more."""
    number = 0
    for place, link in enumerate(links):
        if not link["isActive"]:
            continue
        for _ in range(8 if place < 3 else 3 if place < 10 else 1):
            headers = {
                "User-Agent": USER_AGENTS[number % len(USER_AGENTS)],
                "Accept-Language": LANGUAGES[number % len(LANGUAGES)],
            }
            referrer = REFERRERS[number % len(REFERRERS)]
            if referrer:
                headers["Referer"] = referrer
            yield base_url, link["shortCode"], headers
            number += 1


def _click(visit: tuple[str, str, dict[str, str]]) -> str | None:
    """Request one short link without following the redirect; returns the error, if any."""
    base_url, code, headers = visit
    status, _ = _request(base_url, "GET", f"/{code}", headers=headers)
    return None if status == 302 else f"GET /{code} answered {status}"


def _request(
    base_url: str,
    method: str,
    path: str,
    *,
    headers: dict[str, str],
    body: bytes | None = None,
) -> tuple[int, bytes]:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
