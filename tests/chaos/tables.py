"""Reads the facts of a run: the tables and buckets of the emulator, and the API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from local.stack import LocalStack
from tests.chaos.facts import Facts, Record, StoredLink
from tests.chaos.sender import Tenant
from tests.support import scans
from tests.support.http_client import Client

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TABLES = {"links": "LinksTableName", "clicks": "ClicksTableName", "access": "AccessTableName"}
_THREADS = 3
#: A click's partition is that of its link, or a part of it.
UUID_LENGTH = 36


def read_facts(stack: LocalStack, tenants: Iterable[Tenant], *, fault_free: bool) -> Facts:
    """All facts about these workspaces."""
    facts = Facts(time=time.time(), fault_free=fault_free)
    own = {tenant.id for tenant in tenants}
    for table, output in _TABLES.items():
        for item in scan(stack, output):
            pk, sk = item["pk"]["S"], item["sk"]["S"]
            for found in set(_UUID.findall(json.dumps(item, default=str))):
                facts.places.setdefault(found, []).append(f"{table} {pk} {sk}")
            if table == "links":
                _add_link_item(facts, item, own)
            elif table == "clicks" and sk.startswith("CLICK#"):
                _add_click(facts, item)
    for item in scan(stack, "DeletionsTableName"):
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if pk in own:
            facts.headers[sk] = pk
        if "openPk" in item and pk.partition("#")[0] in own:
            facts.unfinished.append(f"{pk} {sk} ({item['openPk']['S']})")
    with ThreadPoolExecutor(_THREADS) as pool:
        for tenant in tenants:
            client = Client(stack.base_url, tenant.workspace.admin_key)
            audit = _pages(client, "/api/deletions?limit=100")
            ids = [each["id"] for page in audit for each in page["deletions"]]
            read = partial(_record, stack, client, tenant.id)
            for record in pool.map(read, ids):
                facts.records[record.id] = record
            listed = _pages(client, "/api/links?limit=1000")
            facts.listed[tenant.id] = [each["id"] for page in listed for each in page["links"]]
    _add_objects(facts, stack)
    return facts


def scan(stack: LocalStack, output: str, **more: Any) -> Iterator[dict[str, Any]]:
    """Every item of a table (or index), strongly consistent where that is possible."""
    consistent = {} if "IndexName" in more else {"ConsistentRead": True}
    return scans.scan(stack.emulator.url, stack.outputs[output], **consistent, **more)


def dump(stack: LocalStack) -> Iterator[str]:
    """Every item of every table, a JSON line each."""
    for output in (*_TABLES.values(), "DeletionsTableName"):
        for item in scan(stack, output):
            yield json.dumps({"table": output, **item}, default=lambda raw: raw.hex())


def _add_link_item(facts: Facts, item: dict[str, Any], own: set[str]) -> None:
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    if sk == "CODE":
        facts.codes[pk.removeprefix("CODE#")] = item.get("linkId", {}).get("S")
    workspace, _, link_id = pk.rpartition("#")
    if sk != "LINK" or workspace not in own:
        return
    text = {name: value["S"] for name, value in item.items() if "S" in value}
    facts.links[link_id] = StoredLink(
        id=link_id,
        workspace=workspace,
        live="livePk" in item,
        # An item without its fields was written by an update that should have been refused.
        title=text.get("title", ""),
        code=text.get("shortCode", ""),
        url=text.get("originalUrl", ""),
        deletion_id=text.get("deletionId", ""),
        clicks=int(item.get("clickCount", {"N": "0"})["N"]),
    )


def _add_click(facts: Facts, item: dict[str, Any]) -> None:
    link_id = item["pk"]["S"][:UUID_LENGTH]
    facts.clicks[link_id] = facts.clicks.get(link_id, 0) + 1
    if not item.get("isBot", {}).get("BOOL", False):
        facts.counted_clicks[link_id] = facts.counted_clicks.get(link_id, 0) + 1


def _add_objects(facts: Facts, stack: LocalStack) -> None:
    s3 = stack.client("s3")
    for output, bucket in stack.outputs.items():
        if not output.endswith("BucketName"):
            continue
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                found = set(_UUID.findall(key))
                if not found & facts.headers.keys():
                    # Not the export of a deletion, which outlives its links.
                    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                    found |= set(_UUID.findall(body.decode(errors="replace")))
                for each in found:
                    facts.places.setdefault(each, []).append(f"{output} {key}")


def _record(stack: LocalStack, client: Client, workspace: str, deletion_id: str) -> Record:
    pages = list(_pages(client, f"/api/deletions/{deletion_id}?limit=1000"))
    shown = pages[-1]
    return Record(
        id=deletion_id,
        workspace=workspace,
        mode=shown["mode"],
        state=shown["state"],
        reason=shown["reason"] or "",
        results=tuple((each["id"], each["outcome"]) for page in pages for each in page["results"]),
        counts=shown["counts"],
        created=_seconds(shown["createdAt"]),
        completed=_seconds(shown["completedAt"]) if shown["completedAt"] else None,
        receipt=shown["receipt"],
        restores=tuple((each["reason"] or "", each["state"]) for each in shown.get("restores", ())),
        export=_lines(stack, shown["export"]["url"])
        if (shown["export"] or {}).get("url")
        else None,
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _lines(stack: LocalStack, url: str) -> tuple[dict[str, Any], ...] | None:
    """The lines of an export, read with the emulator's own credentials.

    It does not know the session tokens by which the faults tell processes, and with which the URL
    is signed.
    """
    bucket, _, key = unquote(urlsplit(url).path).strip("/").partition("/")
    try:
        body = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return tuple(json.loads(line) for line in body.splitlines())


def _pages(client: Client, path: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = _get(client, path + cursor)
        yield page
        if page["nextCursor"] is None:
            return
        cursor = f"&cursor={page['nextCursor']}"


def _get(client: Client, path: str) -> Any:
    """A response of the quiet phase. A request may still meet a process that was killed."""
    for _ in range(5):
        response = client.get(path)
        if response.status == 200:
            return response.json
        time.sleep(0.5)
    raise RuntimeError(f"GET {path} answered {response.status}: {response.body[:200]!r}")
