"""DynamoDB as the benchmarks simulate it: botocore whole, only the wire replaced.

A handler of botocore's ``before-send`` event answers each signed HTTP request with the bytes,
headers and checksum that DynamoDB would send. So everything that a client spends is spent
(building, encoding, signing, parsing). The simulation's own time is measured and can be subtracted.
There are no sockets and no TLS.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse

WORKSPACE = "ws-2f6b1c0d9e8a"
LINKS = "Unlink-DataLinksTable8A1F3C5E-1QK7XW2R9ZB4M"
DELETIONS = "Unlink-DataDeletionsTable5D2C7B90-8HN3V6Y1TFQ0"

_LINK_ID = re.compile(rb"#([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\"")

_APPLIED = b'{"TableName":"%s"}' % LINKS.encode()
_THROTTLED = b'{"Error":{"Code":"ThrottlingError","Message":"Rate exceeded"}}'


def isolate() -> None:
    """Invalid credentials in the form of a Lambda function's, instead of the host's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "w" * 40,
        # As long as a function's.
        "AWS_SESSION_TOKEN": "t" * 900,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def link_ids(count: int) -> list[str]:
    """Distinct version 4 UUIDs, the same in every run."""
    source = random.Random(count)
    return [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(count)]


def link_item(link_id: str) -> dict[str, Any]:
    """A live link of ordinary size (about 600 bytes) as it is stored."""
    created = "2026-01-31T12:00:00.000Z"
    return {
        "pk": {"S": f"{WORKSPACE}#{link_id}"},
        "sk": {"S": "LINK"},
        "id": {"S": link_id},
        "workspaceId": {"S": WORKSPACE},
        "userId": {"S": "user-4711"},
        "shortCode": {"S": link_id[:8]},
        "originalUrl": {"S": "https://www.example.com/summer/collection?item=" + "4" * 40},
        "title": {"S": "Summer collection"},
        "tags": {"L": [{"S": "summer"}, {"S": "newsletter"}]},
        "isActive": {"BOOL": True},
        "clickCount": {"N": "12"},
        "createdAt": {"S": created},
        "updatedAt": {"S": created},
        "fencingToken": {"S": "0"},
        "livePk": {"S": f"{WORKSPACE}#3"},
        "liveSk": {"S": f"{created}#{link_id}"},
    }


@dataclass
class Simulation:
    """The settings and counters of the simulated DynamoDB."""

    #: Seconds that every call takes.
    latency: float = 0.0
    #: The share of statements that is throttled, at random.
    throttled: float = 0.0
    seed: int = 1

    requests: Counter[str] = field(default_factory=Counter)
    #: How often a statement was applied to each link.
    applied: Counter[str] = field(default_factory=Counter)
    #: Every ``PutItem`` and ``UpdateItem``, and every put of a transaction, which is marked with
    #: ``transaction``: the writes of the deletion's record.
    written: list[dict[str, Any]] = field(default_factory=list)
    #: Processor seconds that the simulation itself took.
    own_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._luck = random.Random(self.seed)
        self._lock = threading.Lock()
        self._items: dict[tuple[str, ...], dict[bytes, bytes]] = {}

    def serve(self, client: Any) -> Any:
        """Answer all requests of this botocore client; returns it."""
        client.meta.events.register("before-send.dynamodb", self._answer)
        return client

    def prepare(self, ids: list[str]) -> None:
        """Prepare the responses for these links, for every projection used so far."""
        for names in self._items:
            self._projected(names, [link_id.encode() for link_id in ids])

    def forget(self) -> None:
        """Reset the counters."""
        self.requests.clear()
        self.applied.clear()
        self.written.clear()
        self.own_seconds = 0.0

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        started = time.thread_time()
        target = request.headers["X-Amz-Target"].decode().partition(".")[2]
        operation: Callable[[bytes], bytes] = getattr(self, f"_{target}", _nothing)
        content = operation(request.body)
        response = _response(request.url, content)
        with self._lock:
            self.requests[target] += 1
            self.own_seconds += time.thread_time() - started
        if self.latency:
            time.sleep(self.latency)
        return response

    def _BatchGetItem(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        names = json.loads(body)["RequestItems"][LINKS]["ExpressionAttributeNames"]
        found = self._projected(tuple(names.values()), _LINK_ID.findall(body))
        return b'{"Responses":{"%s":[%s]},"UnprocessedKeys":{}}' % (LINKS.encode(), found)

    def _projected(self, names: tuple[str, ...], ids: list[bytes]) -> bytes:
        """These attributes of live links, as JSON."""
        made = self._items.setdefault(names, {})
        for link_id in ids:
            if link_id not in made:
                item = link_item(link_id.decode())
                wanted = {name: item[name] for name in names if name in item}
                made[link_id] = json.dumps(wanted, separators=(",", ":")).encode()
        return b",".join([made[link_id] for link_id in ids])

    def _BatchExecuteStatement(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        responses = []
        with self._lock:
            for link_id in _LINK_ID.findall(body):
                if self.throttled and self._luck.random() < self.throttled:
                    responses.append(_THROTTLED)
                else:
                    self.applied[link_id.decode()] += 1
                    responses.append(_APPLIED)
        return b'{"Responses":[%s]}' % b",".join(responses)

    def _BatchWriteItem(self, _body: bytes) -> bytes:  # noqa: N802 - the operation's name
        return b'{"UnprocessedItems":{}}'

    def _PutItem(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        self.written.append(json.loads(body))
        return b"{}"

    _UpdateItem = _PutItem

    def _TransactWriteItems(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        for action in json.loads(body)["TransactItems"]:
            if "Put" in action:
                self.written.append(action["Put"] | {"transaction": True})
        return b"{}"


def _nothing(_body: bytes) -> bytes:
    return b"{}"


class _Body:
    """The one method of urllib3's response that botocore calls."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def _response(url: str, content: bytes) -> AWSResponse:
    headers = {
        "server": "Server",
        "date": "Sun, 01 Feb 2026 12:00:00 GMT",
        "content-type": "application/x-amz-json-1.0",
        "content-length": str(len(content)),
        "connection": "keep-alive",
        "x-amzn-requestid": "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG",
        "x-amz-crc32": str(zlib.crc32(content)),
    }
    return AWSResponse(url, 200, headers, _Body(content))  # type: ignore[arg-type]
