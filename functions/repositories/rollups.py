"""What is counted of a link's clicks: days, visitors, and the counters on the link itself.

Items in the ``clicks`` table (``pk``, ``sk``):

- day: ``{linkId}``, ``DAY#{date}`` → ``clicks``, ``visitors``, ``installs`` and one counter per
  value of a dimension, named ``{dimension}:{value}`` (``country:EG``), of the most frequent values
  (:mod:`functions.domain.frequent_values`).
- visitor of a day: ``{linkId}#{shard}``, ``VISIT#{date}#{hash}``, removed by TTL.
- a counted click carries ``counted``.

Whatever counts is one transaction with what it counts and with the link: a click can be counted
once only, by whomever and however often it is delivered, and never for a link that is gone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.aws.client import TransactionCancelled, batch_get, query, transact
from functions.aws.codec import from_item, to_item
from functions.domain.errors import InternalError
from functions.domain.frequent_values import DayChange
from functions.domain.ids import shard_of

#: Clicks that one transaction counts: with their visitors, the day and the link they are at most
#: 82 of its 100 actions, and their counters at most 282 of an update's 300 operators.
CLICKS_A_TRANSACTION = 40

#: Days that a visitor of a day is remembered after it, for clicks that are counted late. A
#: stream keeps its records for one day, the failures bucket for fourteen.
VISIT_DAYS = 20

#: Counters of one dimension on one day.
MOST_VALUES = 100

#: Operators that an update may have, with some room (DynamoDB quotas: 300).
MOST_OPERATORS = 290


@dataclass(slots=True)
class Counted:
    """What a group of clicks finds: the link (None once erased), its day, who was there before."""

    link: dict[str, Any] | None
    day: dict[str, Any]
    visitors: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a transaction did not count: clicks to leave out, visitors who were there already."""

    link_gone: bool
    clicks: set[str]
    visitors: set[str]


class RollupsTable:
    """Counts clicks and installs, and reads what was counted."""

    def __init__(self, client: Any, *, clicks: str, links: str) -> None:
        self._client = client
        self._clicks = clicks
        self._links = links

    # -- count ------------------------------------------------------------------------------

    def before(
        self,
        workspace_id: str,
        link_id: str,
        date: str,
        visitors: Iterable[str],
    ) -> Counted:
        """What a count starts from, strongly consistent, in one call."""
        link_key = _link_key(workspace_id, link_id)
        keys = [_day_key(link_id, date)]
        keys += [_visit_key(link_id, date, visitor) for visitor in visitors]
        wanted: dict[str, Any] = {
            self._links: {"Keys": [link_key], "ConsistentRead": True},
            self._clicks: {"Keys": keys, "ConsistentRead": True},
        }
        found = Counted(None, {})
        for table, item in batch_get(self._client, wanted):
            if table == self._links:
                found.link = from_item(item)
            elif item["sk"]["S"].startswith("DAY#"):
                found.day = from_item(item)
            else:
                found.visitors.add(item["sk"]["S"].rpartition("#")[2])
        return found

    def count_clicks(
        self,
        workspace_id: str,
        link_id: str,
        date: str,
        *,
        clicks: Sequence[dict[str, Any]],
        change: DayChange,
        new_visitors: Sequence[str],
        last_click_at: str | None,
    ) -> Refused | None:
        """Count these clicks of one day, all or none; None when they were.

        ``change`` is the day's, computed from the day as it was read; ``last_click_at`` is given
        when it would be the link's newest.
        """
        actions = [
            self._advance_link(workspace_id, link_id, len(clicks), last_click_at),
            self._advance_day(link_id, date, change),
        ]
        for click in clicks:
            # A click is counted once, and only while it is there.
            not_yet_counted = "attribute_exists(pk) AND attribute_not_exists(counted)"
            actions.append(
                {
                    "Update": {
                        "TableName": self._clicks,
                        "Key": {"pk": {"S": click["pk"]}, "sk": {"S": click["sk"]}},
                        "UpdateExpression": "SET counted=:true",
                        "ConditionExpression": not_yet_counted,
                        "ExpressionAttributeValues": {":true": {"BOOL": True}},
                    }
                }
            )
        for visitor in new_visitors:
            first_of_the_day = "attribute_not_exists(pk)"
            item = _visit_key(link_id, date, visitor) | {"ttl": {"N": str(_visit_ttl(date))}}
            actions.append(
                {
                    "Put": {
                        "TableName": self._clicks,
                        "Item": item,
                        "ConditionExpression": first_of_the_day,
                    }
                }
            )
        try:
            transact(self._client, actions)
        except TransactionCancelled as cancelled:
            failed = cancelled.refused
            if not any(failed):
                raise InternalError from cancelled
            first_visitor = 2 + len(clicks)
            return Refused(
                # The link's condition also fails when a later click was counted meanwhile.
                link_gone=failed[0] and not cancelled.reasons[0].get("Item"),
                clicks={
                    click["sk"]
                    for click, refused in zip(clicks, failed[2:first_visitor], strict=True)
                    if refused
                },
                visitors={
                    visitor
                    for visitor, refused in zip(new_visitors, failed[first_visitor:], strict=True)
                    if refused
                },
            )
        return None

    def _advance_link(
        self, workspace_id: str, link_id: str, clicks: int, last_click_at: str | None
    ) -> dict[str, Any]:
        # Without the link nothing is counted, and nothing brings it back.
        condition = "attribute_exists(pk)"
        expression = "ADD clickCount :clicks"
        values = {":clicks": {"N": str(clicks)}}
        if last_click_at is not None:
            # Of two counts at once the later click stays the last one.
            condition += " AND (attribute_not_exists(lastClickAt) OR lastClickAt<=:at)"
            expression += " SET lastClickAt=:at"
            values[":at"] = {"S": last_click_at}
        return {
            "Update": {
                "TableName": self._links,
                "Key": _link_key(workspace_id, link_id),
                "UpdateExpression": expression,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _advance_day(self, link_id: str, date: str, change: DayChange) -> dict[str, Any]:
        """The link's condition, in the same transaction, is what keeps erased links away."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def named(attribute: str) -> str:
            return names.setdefault(attribute, f"#{len(names)}")

        def valued(number: int) -> str:
            values[f":{number}"] = {"N": str(number)}
            return f":{number}"

        expression = "ADD " + ",".join(
            f"{named(name)} {valued(amount)}" for name, amount in change.add.items()
        )
        if change.remove:
            expression += " REMOVE " + ",".join(map(named, change.remove))
        conditions = []
        if change.floors:
            expression += " SET " + ",".join(
                f"{named(name)}={valued(after)}" for name, (_, after) in change.floors.items()
            )
            # Of two counts at once that both raise a floor, the second must look again: it may
            # not lower it, and evicts others now.
            conditions = [
                f"attribute_not_exists({named(name)})"
                if before is None
                else f"{named(name)}={valued(before)}"
                for name, (before, _) in change.floors.items()
            ]
        return {
            "Update": {
                "TableName": self._clicks,
                "Key": _day_key(link_id, date),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {alias: name for name, alias in names.items()},
                "ExpressionAttributeValues": values,
            }
            | ({"ConditionExpression": " AND ".join(conditions)} if conditions else {})
        }

    # -- read -------------------------------------------------------------------------------

    def days(self, link_id: str, first: str, last: str) -> list[dict[str, Any]]:
        """The days from ``first`` to ``last`` (dates, inclusive) on which something happened."""
        found = query(
            self._client,
            self._clicks,
            KeyConditionExpression="pk=:link AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(
                {":link": link_id, ":first": f"DAY#{first}", ":last": f"DAY#{last}"}
            ),
        )
        return [from_item(item) for item in found]


def visitor_of(click: Mapping[str, Any], *, secret: bytes) -> str:
    """Who clicked, as far as address and user agent tell: a hash good for one link and day.

    An HMAC (RFC 2104), because addresses are few: a plain hash is undone by trying them all.
    """
    parts = (
        click["linkId"],
        click["clickedAt"][:10],
        click.get("ipAddress") or "",
        click.get("userAgent") or "",
    )
    return hmac.new(secret, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def _visit_ttl(date: str) -> int:
    day = datetime.fromisoformat(date).replace(tzinfo=UTC)
    return int((day + timedelta(days=VISIT_DAYS)).timestamp())


def _link_key(workspace_id: str, link_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"{workspace_id}#{link_id}"}, "sk": {"S": "LINK"}}


def _day_key(link_id: str, date: str) -> dict[str, Any]:
    return {"pk": {"S": link_id}, "sk": {"S": f"DAY#{date}"}}


def _visit_key(link_id: str, date: str, visitor: str) -> dict[str, Any]:
    return {
        "pk": {"S": f"{link_id}#{shard_of(visitor)}"},
        "sk": {"S": f"VISIT#{date}#{visitor}"},
    }
