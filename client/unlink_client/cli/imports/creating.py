"""Creates the links of an import; a refused link becomes a reject and does not stop the import."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from unlink_client.calls import to_json
from unlink_client.cli.imports.checks import Entry, Status
from unlink_client.errors import CodeTaken, InvalidRequest
from unlink_client.models import NewLink
from unlink_client.sync.client import Unlink

#: Links in one request: the API's limit. The workspace's plan may allow fewer.
_PART = 1_000

_FAULT = re.compile(r"(\d+)\.(\w+)(?:\.[\w.]+)?: (.*)", re.DOTALL)
_URLS = frozenset({"originalUrl", "iosUrl", "androidUrl", "webFallbackUrl"})
_CODES = frozenset({"shortCode", "customCode"})


def create_entries(
    unlink: Unlink, entries: Sequence[Entry], on_done: Callable[[int], None]
) -> list[Entry]:
    """The entries with their results, in order; rejected entries are unchanged.

    ``on_done`` is called with the number of settled links. A request is all or none: refused links
    are removed, and the rest is sent again.
    """
    result = list(entries)
    waiting = [place for place, entry in enumerate(entries) if entry.status is Status.CREATE]
    size, settled = _PART, 0
    while waiting:
        part = waiting[:size]
        links = [link for place in part if (link := result[place].link) is not None]
        try:
            created = unlink.create_many(links, idempotency_key=_key(links))
        except CodeTaken as error:
            refused = _taken(error, part, result)
            if not refused:
                raise
        except InvalidRequest as error:
            if error.limit and error.limit < len(part):
                size = error.limit
                continue
            refused = _invalid(error, part, result)
            if not refused:
                raise
        else:
            refused = {
                place: replace(result[place], status=Status.CREATED, created=link.id)
                for place, link in zip(part, created, strict=True)
            }
        for place, entry in refused.items():
            result[place] = entry
        waiting = [place for place in waiting if place not in refused]
        settled += len(refused)
        on_done(settled)
    return result


def _key(links: Sequence[NewLink]) -> str:
    """One key for each array: sent again after a kill, it creates nothing twice."""
    text = json.dumps(to_json(list(links)), sort_keys=True)
    return f"import-{hashlib.sha256(text.encode()).hexdigest()}"


def _taken(error: CodeTaken, part: Sequence[int], entries: Sequence[Entry]) -> dict[int, Entry]:
    codes, external_ids = set(error.taken_codes), set(error.taken_external_ids)
    where = _where(error)
    found = {}
    for place in part:
        entry = entries[place]
        if entry.link is None:
            continue
        if entry.link.short_code in codes:
            code = entry.link.short_code or ""
            found[place] = entry.rejected(
                Status.TAKEN, f"{code}: {where.get(code, 'another link has it')}"
            )
        elif entry.link.external_id in external_ids:
            name = entry.link.external_id or ""
            found[place] = entry.rejected(Status.EXISTS, f"{name} {where.get(name, '')}".strip())
    return found


def _where(error: CodeTaken) -> dict[str, str]:
    """What uses a code or external id, as far as the service says."""
    found = {}
    for each in error.taken:
        name = each.short_code or each.external_id or ""
        if each.taken_by == "trash":
            found[name] = f"it is in the trash, by the deletion {each.deletion_id}"
        elif each.taken_by == "quarantine" and each.available_from:
            found[name] = f"it is free again from {each.available_from:%Y-%m-%d %H:%M UTC}"
        else:
            found[name] = "another link of the workspace has it"
    return found


def _invalid(
    error: InvalidRequest, part: Sequence[int], entries: Sequence[Entry]
) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    for detail in error.details:
        match = _FAULT.fullmatch(detail)
        if match is None or int(match[1]) >= len(part):
            continue
        place = part[int(match[1])]
        status = Status.INVALID
        if match[2] in _URLS:
            status = Status.REFUSED
        elif match[2] in _CODES:
            status = Status.NOT_ALLOWED
        found.setdefault(place, entries[place].rejected(status, f"{match[2]}: {match[3]}"))
    return found
