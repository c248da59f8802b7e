"""The counts of a link's clicks: days, visitors, and the counters on the link itself.

Items in the ``clicks`` table (``pk``, ``sk``):

- day: ``{linkId}``, ``DAY#{date}`` → ``clicks``, ``visitors``, ``installs`` and one counter per
  value of a dimension, named ``{dimension}:{value}`` (``country:EG``), of the most frequent values
  (:mod:`functions.domain.frequent_values`). It also lists the last clicks that it counted
  (``counted``, up to ``countedUntil``), and the clicks of its first visitors (``firstVisits``);
  ``manyVisitors`` says that the other visitors have separate items.
- counted clicks that no longer fit in the day: ``{linkId}``, ``COUNTED#{date}#{until}#{clicks}``.

Visitors are separate items (:mod:`functions.repositories.visitors`).

A day counts a click and lists it in one write, on the condition that the day is as it was read, so
a click is counted once, even if it is delivered several times. No transaction is needed: what is
written before that write (counted clicks that move out of the day, visitors that a click claims) is
true whether or not the write succeeds, and what is written after it (the link's totals) is computed
from the day alone. See ``docs/decisions/150-how-a-click-is-counted-once.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.aws.calls import ConditionFailed, call
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table, batch_get
from functions.domain.frequent_values import DayChange
from functions.domain.link import Link
from functions.repositories.click_totals import ClickTotals
from functions.repositories.clicks import ClicksTable
from functions.repositories.link_items import decode_link, link_key
from functions.repositories.visitors import VisitorsTable, visit_ttl

#: Clicks that one write of a day counts.
CLICKS_A_WRITE = 400

#: Counted clicks that a day lists before they move to a separate item.
LISTED_CLICKS = 32

#: Visitors of a day without a separate item: the day names the click of each.
FIRST_VISITS = 4

#: Characters of a click's id that name it among the clicks of its link and day: 62 random bits.
MARK = 11

#: Maximum counters of one dimension on one day.
MAX_VALUES = 100

#: Maximum operators of an update, below DynamoDB's quota of 300.
MAX_OPERATORS = 290

#: Attributes of a day that are not counters.
_NO_COUNTERS = ("counted", "countedUntil", "firstVisits", "manyVisitors")


@dataclass(slots=True)
class Counted:
    """What a group of clicks finds: the link (None once erased), its day, what is counted.

    ``marks`` name counted clicks, ``visitors`` maps those with a separate item to the click
    that claimed them, ``first_visits`` are the clicks of the day's first visitors.
    """

    link: Link | None
    day: dict[str, Any]
    marks: set[str] = field(default_factory=set)
    visitors: dict[str, str] = field(default_factory=dict)
    first_visits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clicks(self) -> int:
        return int(self.day.get("clicks", 0))

    @property
    def many_visitors(self) -> bool:
        return "manyVisitors" in self.day


class RollupsTable(Table):
    """Counts clicks and installs, and reads the counts."""

    def __init__(self, client: Any, *, clicks: str, links: str) -> None:
        super().__init__(client, clicks)
        self._links = links
        self.visitors = VisitorsTable(client, clicks)
        self.totals = ClickTotals(client, links)

    # -- count ------------------------------------------------------------------------------

    def before(
        self,
        workspace_id: str,
        link_id: str,
        day: str,
        *,
        since: str,
        visitors: Iterable[str],
        consistent: bool,
    ) -> Counted:
        """The state that a count starts from; ``since`` is the time of the earliest click.

        The link is read strongly. The day need not be (``consistent``): a write that starts from
        an old one is refused.
        """
        parameters: dict[str, Any] = {
            self._links: {"Keys": [link_key(workspace_id, link_id)], "ConsistentRead": True},
            self.name: {"Keys": [_day_key(link_id, day)], "ConsistentRead": consistent},
        }
        found = Counted(None, {})
        for table, item in batch_get(self._client, parameters):
            if table == self._links:
                found.link = decode_link(item)
            else:
                found.day = from_item(item)
        if found.link is None:
            return found
        # After the day: what has moved out of it is there by now.
        found.marks = marks_in(found.day.get("counted", ""))
        if found.clicks > len(found.marks):
            found.marks |= self._moved_marks(link_id, day, since)
        if names := found.day.get("firstVisits"):
            keys = [_visit_of(link_id, name) for name in names]
            parameters = {self.name: {"Keys": keys, "ConsistentRead": True}}
            found.first_visits = [
                from_item(item) for _, item in batch_get(self._client, parameters)
            ]
        if found.many_visitors:
            found.visitors = self.visitors.claimed(link_id, day, visitors, consistent=False)
        return found

    def _moved_marks(self, link_id: str, day: str, since: str) -> set[str]:
        """The counted clicks of a day that are not before ``since``, as far as they moved out."""
        items = self._query(
            KeyConditionExpression="pk=:link AND sk BETWEEN :since AND :last",
            ExpressionAttributeValues=to_item(
                {":link": link_id, ":since": f"COUNTED#{day}#{since}", ":last": f"COUNTED#{day}$"}
            ),
            ConsistentRead=True,
        )
        return {mark for item in items for mark in marks_in(item["counted"]["S"])}

    def move_marks(self, link_id: str, day: str, found: Counted) -> None:
        """Copy the counted clicks that a day lists to a separate item; may be repeated."""
        key = _marks_key(link_id, day, found)
        item = key | to_item({"counted": found.day["counted"], "ttl": visit_ttl(day)})
        call(self._client.put_item, TableName=self.name, Item=item)

    def expect_many_visitors(self, link_id: str, day: str) -> None:
        """Let visitors of the day have separate items; its first visitors stay as they are.

        Before the first of them is claimed: no count may take the same visitor for a first one.
        """
        call(
            self._client.update_item,
            TableName=self.name,
            Key=_day_key(link_id, day),
            UpdateExpression="SET manyVisitors=:true",
            ExpressionAttributeValues={":true": {"BOOL": True}},
        )

    def count_clicks(
        self,
        link_id: str,
        day: str,
        found: Counted,
        *,
        change: DayChange,
        listed: str,
        until: str,
        first_visits: Sequence[str],
    ) -> bool:
        """Count clicks of one day; False when the day is no longer as it was found.

        ``listed`` are the marks that the day lists from now on, of clicks up to the time ``until``;
        ``first_visits`` name the clicks of more of its first visitors. Afterwards ``found.day`` is
        as it was written.
        """
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def named(attribute: str) -> str:
            return names.setdefault(attribute, f"#{len(names)}")

        def valued(value: Any) -> str:
            name = f":{len(values)}"
            values.update(to_item({name: value}))
            return name

        sets: dict[str, Any] = {"counted": listed, "countedUntil": until}
        sets |= {name: after for name, (_, after) in change.floors.items()}
        if first_visits:
            sets["firstVisits"] = [*found.day.get("firstVisits", ()), *first_visits]
        expression = "ADD " + ",".join(
            f"{named(name)} {valued(amount)}" for name, amount in change.add.items()
        )
        expression += " SET " + ",".join(
            f"{named(name)}={valued(value)}" for name, value in sets.items()
        )
        if change.remove:
            expression += " REMOVE " + ",".join(map(named, change.remove))
        # The day's clicks only grow: while they are as many, nothing else was counted. Two counts
        # at once could both count a click, and both raise a floor or evict a value.
        unchanged = (
            f"{named('clicks')}={valued(found.clicks)}"
            if found.clicks
            else f"attribute_not_exists({named('clicks')})"
        )
        if first_visits:
            unchanged += f" AND attribute_not_exists({named('manyVisitors')})"
        try:
            call(
                self._client.update_item,
                TableName=self.name,
                Key=_day_key(link_id, day),
                UpdateExpression=expression,
                ConditionExpression=unchanged,
                ExpressionAttributeNames={alias: name for name, alias in names.items()},
                ExpressionAttributeValues=values,
            )
        except ConditionFailed:
            return False
        change.apply_to(found.day)
        found.day |= sets
        return True

    def keys_of(
        self, link_id: str, day: str, found: Counted, visitors: Iterable[str]
    ) -> list[dict[str, Any]]:
        """The items that a count of these visitors writes for a day."""
        keys = [_day_key(link_id, day), _marks_key(link_id, day, found)]
        return keys + [VisitorsTable.key(link_id, day, visitor) for visitor in visitors]

    def remove(self, keys: Sequence[dict[str, Any]]) -> None:
        """Remove what was written for a link that was erased in the meantime."""
        ClicksTable(self._client, self.name).write(delete=keys)

    # -- read -------------------------------------------------------------------------------

    def days(self, link_id: str, first: str, last: str) -> list[dict[str, Any]]:
        """The days with counts from ``first`` to ``last`` (dates, inclusive)."""
        found = self._query(
            KeyConditionExpression="pk=:link AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(
                {":link": link_id, ":first": f"DAY#{first}", ":last": f"DAY#{last}"}
            ),
        )
        return [
            {name: value for name, value in from_item(item).items() if name not in _NO_COUNTERS}
            for item in found
        ]


def mark_of(click: Mapping[str, Any]) -> str:
    """What names a click among the clicks of its link and day."""
    return str(click["sk"])[-MARK:]


def marks_in(listed: str) -> set[str]:
    return {listed[start : start + MARK] for start in range(0, len(listed), MARK)}


def _day_key(link_id: str, day: str) -> dict[str, Any]:
    return primary_key(link_id, f"DAY#{day}")


def _marks_key(link_id: str, day: str, found: Counted) -> dict[str, Any]:
    """By the time of the newest click: those before a click's own time cannot have counted it."""
    until = found.day.get("countedUntil", "")
    return primary_key(link_id, f"COUNTED#{day}#{until}#{found.clicks}")


def visit_name(click: Mapping[str, Any]) -> str:
    """What leads to a click from its link: the shard ("" for the link's own partition), the time
    and the id of its key.
    """
    shard = click["pk"].partition("#")[2]
    return f"{shard}#{click['sk'].removeprefix('CLICK#')}"


def _visit_of(link_id: str, name: str) -> dict[str, Any]:
    shard, _, rest = name.partition("#")
    pk = f"{link_id}#{shard}" if shard else link_id
    return primary_key(pk, f"CLICK#{rest}")
