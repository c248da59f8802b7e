"""Workspaces and keys for the local stack, and the demo links and clicks, made through the API."""

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

from functions.unlink.keys import generate_api_key
from functions.unlink.plans import SCOPES
from functions.unlink.stores.access import AccessTable
from local.ministack import Engine

USER_SCOPES = ("linksRead", "linksWrite", "linksErase", "analyticsRead")
READ_SCOPES = ("linksRead",)

# Real strings: phones, tablets, desktops, an app's web view, a crawler.
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


class Access:
    """Administers workspaces and keys of the deployed stack, as an operator would."""

    def __init__(self, engine: Engine, outputs: dict[str, str]) -> None:
        """`outputs` are those of the deployed stack, by name."""
        self._table = AccessTable(engine.client("dynamodb"), outputs["AccessTableName"])
        self._gateway = engine.client("apigateway")
        self._outputs = outputs
        self._numbers = count(1)

    def add_workspace(self, workspace_id: str | None = None, *, plan: str) -> Workspace:
        """A workspace in its plan's usage plan, with one key of each kind."""
        workspace_id = workspace_id or f"ws-{next(self._numbers)}-{secrets.token_hex(4)}"
        usage_key = secrets.token_urlsafe(32)
        created = self._gateway.create_api_key(
            name=f"workspace-{workspace_id}", value=usage_key, enabled=True
        )
        self._gateway.create_usage_plan_key(
            usagePlanId=self._outputs[f"UsagePlan{plan.capitalize()}"],
            keyId=created["id"],
            keyType="API_KEY",
        )
        self._table.put_workspace(workspace_id, plan=plan, usage_key=usage_key)
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
        """A new API key of the workspace; this is the only time that it is known."""
        key = generate_api_key()
        self._table.put_key(
            key,
            key_id=f"{workspace_id}-{name}-{secrets.token_hex(4)}",
            workspace_id=workspace_id,
            scopes=list(scopes),
            user_id=f"user-{name}",
            name=name,
            expires_at=expires_at,
        )
        return key


def demo_links() -> list[dict[str, Any]]:
    """25 links as a customer would have them; the bodies of POST /api/links."""
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
    status, body = _request(
        base_url,
        "POST",
        "/api/links",
        headers={"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
        body=json.dumps(demo_links()).encode(),
    )
    if status != 201:
        raise SeedError(f"POST /api/links answered {status}: {body[:500].decode(errors='replace')}")
    links: list[dict[str, Any]] = json.loads(body)
    with ThreadPoolExecutor(max_workers=2) as pool:
        failures = [failure for failure in pool.map(_click, _visits(base_url, links)) if failure]
    if failures:
        raise SeedError(failures[0])
    return links


def _visits(
    base_url: str, links: list[dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(base URL, code, headers) of each click: popular links first, as in life."""
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
    """Follow one short link, as far as the redirect; what went wrong, if anything did."""
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
