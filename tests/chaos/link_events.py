"""What happened to each link, from the responses to the clients and from the final records."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.facts import Facts, Record
from tests.chaos.history import FOREVER, Operation
from tests.chaos.register import Action, Event
from tests.chaos.requests import Created, Request, Requests, origin_of

#: The record's time of completion is in whole milliseconds, rounded down.
CLOCK_STEP = 0.002

_LINK_PATH = re.compile(r"/api/links/([0-9a-f-]{36})")


def created_links(requests: Requests, facts: Facts) -> dict[str, Created]:
    """Every link whose creation is known, by id: from a response, or from the table."""
    found: dict[str, Created] = {}

    def add(link_id: str, url: str, title: str, code: str) -> None:
        origin = origin_of(url)
        if origin is None or link_id in found:
            return
        request = requests.by_token.get(origin[1])
        if request is not None:
            found[link_id] = Created(link_id, origin[0], request, origin[2], title, code)

    for request in requests.of("create"):
        for attempt in request.successes:
            for link in links_in(attempt.response):
                add(link["id"], link["originalUrl"], link["title"], link["shortCode"])
    for stored in facts.links.values():
        origin = origin_of(stored.url)
        add(stored.id, stored.url, first_title(*origin[1:]) if origin else "", stored.code)
    return found


def first_title(token: str, number: int) -> str:
    """The title with which the load creates a link."""
    return f"{token}.{number}"


def links_in(response: Any) -> list[dict[str, Any]]:
    """The links in the response to a create."""
    if isinstance(response, list):
        return response
    return [response] if isinstance(response, dict) and "originalUrl" in response else []


class LinkEvents:
    """Collects the events of each link."""

    def __init__(self, requests: Requests, facts: Facts, created: dict[str, Created]) -> None:
        self.by_link: dict[str, list[Event]] = defaultdict(list)
        self._requests, self._facts, self._created = requests, facts, created
        self._by_code: dict[str, list[str]] = defaultdict(list)
        for each in created.values():
            self._by_code[each.code].append(each.id)
        self._by_url = {(each.request.token, each.number): each.id for each in created.values()}
        self._titles = self._observed_titles()
        for each in created.values():
            self._add(each.id, each.request, "create", each.title, end=each.request.end)
        for record in facts.records.values():
            self._deletion(record)
        for request in requests.by_token.values():
            if request.kind == "restore":
                self._restore(request)
            for attempt in request.attempts:
                for link_id, action, value in self._observations(attempt):
                    if attempt.kind == "redirect" or self._is_own(link_id, attempt.workspace):
                        event = Event(
                            attempt.begin, attempt.end, action, value, token=attempt.token
                        )
                        self.by_link[link_id].append(event)
                if attempt.kind == "update" and attempt.unknown:
                    self._unknown_update(attempt)

    def final(self, link_id: str) -> Event:
        """The final state of a link in the table."""
        stored, now = self._facts.links.get(link_id), self._facts.time
        if stored is None:
            return Event(now, now, "saw gone", token="the table")
        if stored.live:
            return Event(now, now, "saw live", stored.title, token="the table")
        return Event(now, now, "saw trashed", stored.deletion_id, token="the table")

    def link_of(self, location: str | None) -> str | None:
        """The link that a redirect led to."""
        origin = origin_of(location or "")
        return self._by_url.get(origin[1:]) if origin else None

    def _add(
        self,
        link_id: str,
        request: Request,
        action: Action,
        value: str = "",
        *,
        end: float,
        required: bool = True,
    ) -> None:
        if self._is_own(link_id, request.workspace):
            event = Event(request.begin, end, action, value, required, request.token)
            self.by_link[link_id].append(event)

    def _is_own(self, link_id: str, workspace: str) -> bool:
        """Whether the link belongs to this workspace."""
        created = self._created.get(link_id)
        return created is not None and created.workspace == workspace

    def _deletion(self, record: Record) -> None:
        request = self._requests.by_token.get(record.reason)
        if request is None:
            return
        latest = FOREVER if record.completed is None else record.completed + CLOCK_STEP
        named: set[str] = set()
        for attempt in request.successes[:1]:
            response = attempt.response if isinstance(attempt.response, dict) else {}
            named = set(response.get("deletedIds") or ())
        for link_id, outcome in record.results:
            end = min(request.end, latest)
            if link_id in named:
                end = min(end, request.successes[0].end)
            if request.kind == "soft":
                # All of its links were live when it was accepted.
                self._add(link_id, request, "saw live", end=end)
            match record.mode, outcome:
                case "soft", "deleted" | "restored":
                    self._add(link_id, request, "trash", record.id, end=end)
                case "soft", "notFound":
                    self._add(link_id, request, "saw not live", end=end)
                case _, "erased":
                    only_live = request.kind == "erase one"
                    action: Action = "erase live" if only_live else "erase"
                    self._add(link_id, request, action, end=end)
                case _, "notFound":
                    self._add(link_id, request, "saw gone", end=end)

    def _restore(self, request: Request) -> None:
        record = self._facts.records.get(request.attempts[0].deletion_id or "")
        if record is None:
            return
        if request.successes:
            first = request.successes[0]
            for link_id in first.response.get("restoredIds", ()):
                self._add(link_id, request, "restore", record.id, end=first.end)
            for refused in first.response.get("refused", ()):
                action: Action | None = _REFUSALS.get(refused["reason"])
                if action is not None:
                    self._add(refused["id"], request, action, record.id, end=first.end)
            perhaps = first.response.get("pendingIds", [])
        elif request.token in {reason for reason, _ in record.restores}:
            perhaps = request.attempts[0].ids or [link_id for link_id, _ in record.results]
        else:
            perhaps = []
        # If there was one restore, the record of the deletion has the outcome of each link.
        outcomes = dict(record.results) if len(record.restores) == 1 else {}
        for link_id in perhaps:
            match outcomes.get(link_id):
                case "restored":
                    self._add(
                        link_id, request, "restore", record.id, end=self._facts.time - CLOCK_STEP
                    )
                case None:
                    self._add(link_id, request, "restore", record.id, end=FOREVER, required=False)

    def _observations(self, attempt: Operation) -> Iterator[tuple[str, Action, str]]:
        """(link, action, value) of what a response says about links."""
        response, path = attempt.response, _LINK_PATH.match(attempt.path)
        if path is not None:
            yield from _of_one_link(path.group(1), attempt)
        match attempt.kind, attempt.status:
            case "soft", 400 if isinstance(response, dict):
                for link_id in response.get("unknownIds", ()):
                    yield link_id, "saw not live", ""
            case "list", 200:
                for link in response["links"]:
                    yield link["id"], "saw live", link["title"]
            case "redirect", 302:
                if (link_id := self.link_of(response)) is not None:
                    yield link_id, "saw live", ""
            case "redirect", 404:
                for link_id in self._by_code.get(attempt.code or "", ()):
                    yield link_id, "saw not live", ""

    def _unknown_update(self, attempt: Operation) -> None:
        path = _LINK_PATH.match(attempt.path)
        title = attempt.body["title"]
        # An update that no response shows makes no difference to the order of the others.
        if path and title in self._titles:
            self.by_link[path.group(1)].append(
                Event(attempt.begin, FOREVER, "set", title, required=False, token=attempt.token)
            )

    def _observed_titles(self) -> set[str]:
        titles = {each.title for each in self._facts.links.values()}
        for request in self._requests.of("get", "list", "update"):
            for attempt in request.successes:
                shown = attempt.response.get("links", [attempt.response])
                titles |= {link["title"] for link in shown if "title" in link}
        return titles


def _of_one_link(link_id: str, attempt: Operation) -> Iterator[tuple[str, Action, str]]:
    """What the response to a request for one link says about it."""
    match attempt.kind, attempt.status:
        case "update", 200:
            yield link_id, "set", attempt.response["title"]
        case "get", 200:
            yield link_id, "saw live", attempt.response["title"]
        case "qr", 200:
            yield link_id, "saw live", ""
        case "update" | "get" | "qr" | "erase one", 404:
            yield link_id, "saw not live", ""


_REFUSALS: dict[str, Action] = {"erased": "saw erased", "deletedAgain": "saw deleted again"}
