"""Creating, finding and listing links."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from math import isqrt
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import in_parallel
from functions.domain.click_retention import CLICK_RETENTION
from functions.domain.clock import current_deadline, now_iso, shutdown_deadline
from functions.domain.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    LinkNotFound,
    ShortCodeTaken,
    Unavailable,
    UnlinkError,
)
from functions.domain.ids import SHARDS
from functions.domain.policies import Policies
from functions.domain.redirect_target import campaign_of, with_campaign
from functions.domain.urls import points_to_own_host
from functions.repositories.link_counts import Quota
from functions.repositories.links import (
    READ_BATCH,
    ExternalIdTaken,
    LinksTable,
)
from functions.schemas.filters import LinkFilter
from functions.schemas.links import DESTINATIONS, MAX_URL, MOST_FAULTS, NewLink, stored_fields
from functions.services.link_lookup import find_by_external_id, find_link
from functions.services.link_runs import LINKS_A_TRANSACTION, KeyedRun, UnkeyedRun
from functions.services.read_budget import ReadBudget

#: Links that one filtered page may try before it ends short, and seconds it leaves for the answer.
READ_BUDGET = 1_000
PAGE_MARGIN = 5.0

#: Bytes of links in one page: Lambda's answer may have 6 MB (quota "invocation payload").
PAGE_BYTES = 5_000_000

EVERY_LINK = LinkFilter()

#: Seconds in which a refused request is undone, and an answer noted, however late it is.
SHUTDOWN_SECONDS = 1.5

log = Logger()

#: How often a generated code is drawn again before giving up.
MOST_DRAWS = 5


def create_links(
    new: list[NewLink],
    *,
    workspace_id: str,
    user_id: str,
    own_hosts: Collection[tuple[str, int]] = (),
    links: LinksTable,
    policies: Policies | None = None,
    run: UnkeyedRun | KeyedRun | None = None,
    check: Callable[[list[dict[str, Any]]], None] | None = None,
    quota: Quota | None = None,
) -> list[dict[str, Any]]:
    """Create all of these links or none; returns their items in the order given.

    All have the same ``createdAt``. ``ours`` are the hosts and ports of this service, to which no
    link may lead; ``run`` draws ids, codes and the moment. ``check`` may refuse the items before
    anything is written. ``quota`` counts them, and refuses more than the workspace may have.

    A code is claimed in the same transaction as its link, so two links can never share one.
    Raises ``ShortCodeTaken`` or ``Conflict`` (external id) and leaves nothing behind.
    """
    run = run or UnkeyedRun(user_id)
    items = plan_links(new, run, workspace_id=workspace_id)
    _refuse_destinations(items, own_hosts)
    for item in items:
        purge = (policies or Policies()).of_a_purge(item.get("expiresAt"))
        purge |= _click_retention(policies)
        item |= {name: value for name, value in purge.items() if value is not None}
    custom = [code for link in new if (code := link.shortCode or link.customCode)]
    externals = [item["externalId"] for item in items if item.get("externalId") is not None]
    _refuse_repeated("shortCode", custom)
    _refuse_repeated("externalId", externals)
    if check is not None:
        check(items)
    # Almost every refusal is found here, before anything is written.
    if taken := links.taken_codes(workspace_id, custom):
        raise ShortCodeTaken([code for code in custom if code in taken])
    if used := links.taken_external_ids(workspace_id, externals):
        raise _external_id_taken([value for value in externals if value in used])
    if quota is not None:
        quota.reserve(len(items))
    starts = range(0, len(items), LINKS_A_TRANSACTION)
    results = in_parallel(
        lambda start: _create_group(items, start, set(custom), run, links=links),
        starts,
    )
    failure = next((result for result in results if result is not None), None)
    if failure is not None:
        with shutdown_deadline(max(current_deadline().remaining(), SHUTDOWN_SECONDS)):
            existed = run.undo(workspace_id, [item["id"] for item in items], links)
            if existed is None:
                return items
            if quota is not None and existed < len(items):
                # The stream takes those off the counter that existed. If this fails, the counter is
                # too high until it is counted anew.
                try:
                    quota.release(len(items) - existed)
                except UnlinkError as error:
                    log.warning(
                        "links that were not made are still counted",
                        extra={
                            "workspaceId": workspace_id,
                            "cause": repr(error.__cause__ or error),
                        },
                    )
        raise failure
    return items


def plan_links(
    new: Sequence[NewLink],
    run: UnkeyedRun | KeyedRun,
    *,
    workspace_id: str,
) -> list[dict[str, Any]]:
    """The items of these links as this run makes them; nothing is written."""
    common = {
        "workspaceId": workspace_id,
        "userId": run.user_id,
        "createdAt": run.created_at,
        "updatedAt": run.created_at,
    }
    items = [
        _new_item(link) | common | {"id": link_id}
        for link, link_id in zip(new, run.link_ids(len(new)), strict=True)
    ]
    for place, item in enumerate(items):
        if "shortCode" not in item:
            item["shortCode"] = run.code(place)
    return items


def list_links(
    *,
    workspace_id: str,
    limit: int,
    after: str | None,
    links: LinksTable,
    only: LinkFilter = EVERY_LINK,
    size_of: Callable[[dict[str, Any]], int] | None = None,
    budget: ReadBudget | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of live links, newest first, and the position to go on from (None at the end).

    Keys come from the index of live links, so the cost follows the page and not the number of
    deleted links; each link is then read strongly, and one deleted meanwhile is left out. A page
    ends early, with a position, after :data:`READ_BUDGET` links that the filter was tried on,
    when time is short, when ``budget`` (asked for filters only) has nothing left, or before
    ``size_of`` (bytes of a link in the answer) exceeds :data:`PAGE_BYTES`. Raises ``LimitReached``
    when ``budget`` has nothing left from the start.
    """
    now = now_iso()
    if only.external_id is not None:
        link = find_by_external_id(only.external_id, workspace_id=workspace_id, links=links)
        return [link] if link is not None and only.matches(link, now=now) else [], None
    keys = links.live_ids(
        workspace_id,
        after=_earlier(after, only.created_before),
        since=only.created_after,
        page=_keys_a_shard(limit if only.empty else READ_BATCH),
    )
    page: list[dict[str, Any]] = []
    room = PAGE_BYTES
    last, tried = after, 0
    while len(page) < limit:
        # Without a filter what is missing is what is read; with one, more must be tried: 100 first,
        # then as many as so far, so that a page asks its budget five times at most.
        wanted = limit - len(page) if only.empty else min(tried or READ_BATCH, READ_BUDGET - tried)
        chunk = list(islice(keys, wanted))
        if not chunk:
            return page, None
        if not only.empty and not _may_read(len(chunk), budget, tried):
            return page, last
        found = links.get_many(workspace_id, [link_id for _, link_id in chunk])
        for position, link_id in chunk:
            link = found.get(link_id)
            if link is not None and "livePk" in link and only.matches(link, now=now):
                if len(page) == limit:
                    return page, last
                room -= size_of(link) if size_of else 0
                if room < 0 and page:
                    return page, last
                page.append(link)
            last = position
        tried += len(chunk)
        if tried >= READ_BUDGET or current_deadline().remaining() < PAGE_MARGIN:
            break
    return page, last if next(keys, None) else None


def _may_read(links: int, budget: ReadBudget | None, tried: int) -> bool:
    """Whether a page may try its filter on more links; else it ends short, with its position."""
    if budget is None:
        return True
    try:
        return budget.take(links)
    except LimitReached:
        if not tried:
            raise
        return False


def _earlier(first: str | None, second: str | None) -> str | None:
    given = [position for position in (first, second) if position is not None]
    return min(given, default=None)


def _keys_a_shard(keys: int) -> int:
    """How many keys to ask of each of the eight shards for so many together.

    An eighth of them and four standard deviations, so that a second page is rare.
    """
    share = keys // SHARDS
    return min(keys, share + 2 * isqrt(4 * share) + 1) or 1


def update_link(
    reference: str,
    changes: dict[str, Any],
    *,
    workspace_id: str,
    own_hosts: Collection[tuple[str, int]] = (),
    links: LinksTable,
    policies: Policies | None = None,
) -> dict[str, Any]:
    """Change the named attributes of a live link (None clears one); returns the link after it.

    Only what is named is written, and only while the link is live: concurrent updates of other
    attributes keep theirs, and no update brings a deleted link back. Raises ``LinkNotFound``,
    ``InvalidRequest`` (a loop to ourselves), ``Conflict`` (the external id is taken).
    """
    if loops := _loops(changes, own_hosts):
        raise InvalidRequest(details=loops)
    link = find_link(reference, workspace_id=workspace_id, links=links)
    if too_long := _too_long(changes, link):
        raise InvalidRequest(details=too_long)
    changes = changes | {"updatedAt": now_iso()} | _click_retention(policies)
    if "expiresAt" in changes:
        changes |= (policies or Policies()).of_a_purge(changes["expiresAt"])
    kept = {name: value for name, value in changes.items() if name != "externalId"}
    while not current_deadline().passed:
        if len(kept) == len(changes) or changes["externalId"] == link.get("externalId"):
            # It is not written: it may be changing under us, and its own item would not follow.
            updated = links.update(workspace_id, link["id"], kept)
            if updated is None:
                raise LinkNotFound
            return updated
        try:
            moved = links.update_external_id(link, changes)
        except ExternalIdTaken:
            raise _external_id_taken([changes["externalId"]]) from None
        # After a move the transaction's own answer has no attributes; after a refusal the link
        # was deleted or got another external id meanwhile.
        found = links.get(workspace_id, link["id"])
        if found is None or "livePk" not in found:
            if moved:
                # Changed, and deleted right after.
                return link | changes
            raise LinkNotFound
        if moved:
            return found
        link = found
    raise Unavailable


def _new_item(link: NewLink) -> dict[str, Any]:
    fields = stored_fields(link, sorted(NewLink.model_fields.keys() - {"customCode"}))
    fields |= {"shortCode": link.shortCode or link.customCode, "clickCount": 0}
    return {name: value for name, value in fields.items() if value is not None}


def _click_retention(policies: Policies | None) -> dict[str, Any]:
    """The link's copy of the workspace's ``clickRetentionDays``; None for the default.

    The redirect reads it there, because it may not read ``access``.
    """
    return {CLICK_RETENTION: policies.stored().get(CLICK_RETENTION)} if policies else {}


def _refuse_destinations(
    items: list[dict[str, Any]], own_hosts: Collection[tuple[str, int]]
) -> None:
    """Raise for new links that must not have their destinations; names each by its position."""
    faults: list[str] = []
    for position, item in enumerate(items):
        prefix = f"{position}." if len(items) > 1 else ""
        faults += [f"{prefix}{fault}" for fault in _loops(item, own_hosts) + _too_long(item, {})]
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise InvalidRequest(details=faults[:MOST_FAULTS])


def _loops(fields: dict[str, Any], own_hosts: Collection[tuple[str, int]]) -> list[str]:
    """What is wrong: a short link that leads to a short link may lead back to itself."""
    return [
        f"{name}: a link must not lead to this service itself"
        for name in DESTINATIONS
        if fields.get(name) is not None and points_to_own_host(fields[name], own_hosts)
    ]


def _too_long(changes: dict[str, Any], link: dict[str, Any]) -> list[str]:
    """What is wrong: destinations too long as they are sent, encoded and with the link's campaign.

    ``link`` is what the changes are made to. Two concurrent updates, one of the destination and
    one of the campaign, can exceed the limit together; the redirect then still sends it.
    """
    after = link | changes
    changed = DESTINATIONS if "utmParameters" in changes else changes.keys() & set(DESTINATIONS)
    campaign = campaign_of(after, {})
    return [
        f"{name}: at most {MAX_URL:,} characters when percent-encoded with utmParameters"
        for name in DESTINATIONS
        if name in changed
        and after.get(name)
        and len(with_campaign(after[name], campaign)) > MAX_URL
    ]


def _refuse_repeated(name: str, values: list[str]) -> None:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise InvalidRequest(f"{name} is given to more than one link: {repeated[0]}")


def _external_id_taken(values: list[str]) -> Conflict:
    return Conflict("externalId is already in use", takenExternalIds=values[:100])


def _create_group(
    items: Sequence[dict[str, Any]],
    start: int,
    custom: set[str],
    run: UnkeyedRun | KeyedRun,
    *,
    links: LinksTable,
) -> Exception | None:
    """Create the links of one transaction, which begin at ``start``; None, or why not."""
    group = items[start : start + LINKS_A_TRANSACTION]
    made = run.made_action(start // LINKS_A_TRANSACTION)
    try:
        for _ in range(MOST_DRAWS):
            obstacles = links.create(group, token=str(uuid.uuid4()), made=made)
            if not obstacles:
                return None
            if refusal := _refusal(group, obstacles, custom):
                return refusal
            for place, (item, what) in enumerate(zip(group, obstacles, strict=True), start):
                if what == "code":
                    item["shortCode"] = run.draw_again(place)
    except Exception as error:
        return error
    return Unavailable("No free short code was found")


def _refusal(
    group: Sequence[dict[str, Any]], obstacles: Sequence[str], custom: set[str]
) -> Conflict | None:
    """Why no other draw of codes would do."""
    blocked = [item for item, what in zip(group, obstacles, strict=True) if what == "code"]
    if externals := [
        item["externalId"]
        for item, what in zip(group, obstacles, strict=True)
        if what == "externalId"
    ]:
        return _external_id_taken(externals)
    if refused := [item["shortCode"] for item in blocked if item["shortCode"] in custom]:
        return ShortCodeTaken(refused)
    return None
