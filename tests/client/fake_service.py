"""A small Unlink on loopback, for tests that need a real connection: kills, terminals, the command.

It keeps links, deletions and Idempotency-Keys in memory, answers as the contract says, and keeps
every request. A test can intercept a request with `before` and `after`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.client.support import DELETION, LINK, hoko, linkforty

KEY = "key-of-the-fake-service"
ME: dict[str, Any] = {
    "workspaceId": "demo",
    "actor": {"keyId": "key-1", "userId": "user-api"},
    "credential": "key",
    "role": None,
    "scopes": ["linksRead", "linksWrite"],
    "expiresAt": None,
    "plan": {
        "name": "enterprise",
        "requestsPerMinute": 10_000,
        "maxIds": 10_000,
        "linksPerWorkspace": 1_000_000,
        "linksPerCreate": 1_000,
        "filterReadsPerRequest": 5_000,
        "filterReadsPerMinute": 15_000,
        "openFilters": 1,
        "openExports": 2,
    },
    "policies": {
        "retentionDays": None,
        "purgeExpiredAfterDays": None,
        "quarantineDays": 0,
        "codeReservationDays": 90,
        "cascadeInstalls": False,
        "linkEvents": False,
        "appSchemes": [],
        "clickRetentionDays": 365,
        "undoMinutes": 15,
    },
    "window": None,
}

#: What a link in the trash has besides the fields of a link.
_TRASHED = {
    "deletedAt": DELETION["createdAt"],
    "deletionId": DELETION["id"],
    "deletedBy": DELETION["actor"],
    "reason": None,
    "restorableUntil": None,
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")

    @property
    def deletes(self) -> bool:
        return (
            self.method == "POST" and self.path == "/api/deletions" and not self.body.get("dryRun")
        )


Reply = tuple[int, Any, dict[str, str]]


@dataclass
class FakeUnlink:
    url: str = ""
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    trash: dict[str, dict[str, Any]] = field(default_factory=dict)
    deletions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    max_ids: int = 10_000
    #: Of the key.
    workspace_id: str = "demo"
    #: Times that each id was deleted.
    deleted: dict[str, int] = field(default_factory=dict)
    #: May raise `Cut` to end the connection, or answer in place of the service.
    before: Callable[[Request], Reply | None] = lambda _: None
    after: Callable[[Request], None] = lambda _: None
    _answers: dict[str, tuple[str, Reply]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int, **fields: Any) -> list[str]:
        """Links with the fields; their ids."""
        ids = [str(uuid.UUID(int=(len(self.links) + n + 1) << 64)) for n in range(count)]
        for link_id in ids:
            code = f"code{int(link_id[:8], 16):x}-{link_id[9:13]}-{link_id[14:18]}"
            self.links[link_id] = (
                LINK | {"id": link_id, "shortCode": code, "clickCount": 1} | fields
            )
        return ids

    @property
    def delete_requests(self) -> list[Request]:
        return [each for each in self.requests if each.deletes]

    # -- routes -------------------------------------------------------------------------------

    def respond(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
        instead = self.before(request)
        if instead is not None:
            return instead
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return (
                401,
                linkforty(401, "Unauthorized", "Authentication required") | hoko("Invalid API key"),
                {},
            )
        with self._lock:
            reply = self._once(request)
        self.after(request)
        return reply

    def _once(self, request: Request) -> Reply:
        if not request.key:
            return self._route(request)
        content = json.dumps([request.method, request.path, request.body])
        if request.key in self._answers:
            before, reply = self._answers[request.key]
            if before != content:
                return 422, hoko("Idempotency-Key was used with a different request"), {}
            return reply
        reply = self._route(request)
        if reply[0] < 300:
            self._answers[request.key] = (content, reply)
        return reply

    def _route(self, request: Request) -> Reply:
        path = request.path
        if request.method == "GET" and path in ("/api/links", "/api/deletions", "/api/trash"):
            return self._page(request)
        if path == "/api/links":
            return self._create(request)
        if match := re.fullmatch("/api/links/([^/]+)", path):
            return self._link(match[1])
        if path == "/api/deletions":
            return self._delete(request.body)
        if match := re.fullmatch("/api/deletions/([^/]+)(/restore)?", path):
            if match[1] not in self.deletions:
                return 404, hoko("Deletion not found"), {}
            if match[2]:
                return self._restore(self.deletions[match[1]], request.body)
            return 200, self.deletions[match[1]], {}
        known = path == "/api/me"
        me = ME | {"workspaceId": self.workspace_id}
        return (200, me, {}) if known else (404, linkforty(404, "Not Found", "Route not found"), {})

    def _link(self, name: str) -> Reply:
        for link in self.links.values():
            if name in (link["id"], link["shortCode"]):
                return 200, link, {}
        return 404, linkforty(404, "Not Found", "Link not found"), {}

    def _matching(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        def matches(link: dict[str, Any]) -> bool:
            return (
                ("tag" not in wanted or wanted["tag"] in link["tags"])
                and int(wanted.get("minClicks", 0)) <= link["clickCount"]
                and link["clickCount"] <= int(wanted.get("maxClicks", 2**53))
                and wanted.get("externalId") in (None, link["externalId"])
            )

        return [link for link in reversed(self.links.values()) if matches(link)]

    def _page(self, request: Request) -> Reply:
        name, found = "links", self._matching(request.query)
        if request.path == "/api/deletions":
            name, found = "deletions", list(reversed(self.deletions.values()))
            found = [{key: each[key] for key in each if key != "results"} for each in found]
        elif request.path == "/api/trash":
            found = [each | _TRASHED for each in self.trash.values()]
        start = int(request.query.get("cursor", "0"))
        end = start + int(request.query.get("limit", "50"))
        cursor = str(end) if end < len(found) else None
        return 200, {name: found[start:end], "nextCursor": cursor}, {}

    def _create(self, request: Request) -> Reply:
        many = request.body if isinstance(request.body, list) else [request.body]
        if faults := [
            f"{number}.originalUrl: only http and https URLs"
            for number, each in enumerate(many)
            if not each["originalUrl"].startswith("http")
        ]:
            return 400, linkforty(400, "Bad Request", "Invalid request", details=faults[:20]), {}
        codes = {link["shortCode"] for link in self.links.values()}
        taken = [each["shortCode"] for each in many if each.get("shortCode") in codes]
        ids = {link["externalId"] for link in self.links.values()} - {None}
        taken_ids = [each["externalId"] for each in many if each.get("externalId") in ids]
        if taken or taken_ids:
            members = (
                {"takenCodes": taken[:100]} if taken else {"takenExternalIds": taken_ids[:100]}
            )
            message = "Short code is already in use" if taken else "External id is already in use"
            return 409, linkforty(409, "Conflict", message, **members), {}
        created = []
        for each in many:
            (link_id,) = self.add(1, tags=[], title=None, expiresAt=None)
            self.links[link_id] |= {"utmParameters": None, "clickCount": 0} | each
            created.append(self.links[link_id])
        return 201, created if isinstance(request.body, list) else created[0], {}

    def _delete(self, body: dict[str, Any]) -> Reply:
        erase = body["mode"] == "erase"
        if "filter" in body:
            ids = [link["id"] for link in self._matching(body["filter"])]
            token = hashlib.sha256(json.dumps([sorted(ids), body["mode"]]).encode()).hexdigest()
            if "confirmationToken" in body and body["confirmationToken"] != token:
                return 409, hoko("The matching links have changed since the dry run"), {}
        else:
            ids, token = list(dict.fromkeys(body["ids"])), ""
        if len(ids) > self.max_ids:
            return 400, hoko("Invalid request", limit=self.max_ids), {}
        known = self.links | (self.trash if erase else {})
        live = [each for each in ids if each in known]
        unknown = [each for each in ids if each not in known]
        if body.get("dryRun"):
            preview = {
                "dryRun": True,
                "mode": body["mode"],
                "counts": {
                    "requested": len(ids),
                    "deletable": len(live),
                    "unknown": len(unknown),
                    "invalid": 0,
                },
                "clicks": sum(known[each]["clickCount"] for each in live),
                "lastClickAt": None,
                "unknownIds": unknown[:100],
                "invalidIds": [],
            }
            return 200, preview | ({"confirmationToken": token} if token else {}), {}
        if unknown and not erase:
            return (
                400,
                hoko("Invalid request", unknownIds=unknown[:100], unknownCount=len(unknown)),
                {},
            )
        for link_id in live:
            self.deleted[link_id] = self.deleted.get(link_id, 0) + 1
            if link_id in self.links:
                self.trash[link_id] = self.links.pop(link_id)
        return self._record(body, live, unknown)

    def _record(self, body: dict[str, Any], live: list[str], unknown: list[str]) -> Reply:
        number = len(self.deletions)
        outcome = "erased" if body["mode"] == "erase" else "deleted"
        record = DELETION | {
            "id": str(uuid.UUID(int=0x01A2 << 112 | number)),
            "mode": body["mode"],
            "reason": body.get("reason"),
            "counts": {
                "requested": len(live) + len(unknown),
                "deleted": len(live),
                "notFound": len(unknown),
                "pending": 0,
                "restored": 0,
                "failed": 0,
            },
            "results": [{"id": each, "outcome": outcome} for each in live]
            + [{"id": each, "outcome": "notFound"} for each in unknown],
        }
        self.deletions[str(record["id"])] = record
        return 200, record, {"X-Deletion-Id": str(record["id"])}

    def _restore(self, record: dict[str, Any], body: dict[str, Any]) -> Reply:
        wanted = body.get("ids", [each["id"] for each in record["results"]])
        back = [each for each in wanted if each in self.trash]
        for link_id in back:
            self.links[link_id] = self.trash.pop(link_id)
        refused = [{"id": each, "reason": "notInDeletion"} for each in wanted if each not in back]
        return 200, {"restoredIds": back, "refused": refused}, {}


class Cut(Exception):
    """Ends the connection without a response."""


@contextmanager
def served(service: FakeUnlink) -> Iterator[FakeUnlink]:
    """The service on a port of loopback; `url` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            request = Request(
                self.command,
                unquote(parts.path),
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(raw) if raw else None,
            )
            try:
                status, body, headers = service.respond(request)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if not isinstance(body, bytes):
                    self.send_header("Content-Type", "application/json")
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except (Cut, OSError):
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
