"""Conditions, updates, key conditions and filters: an example of each shape and what it must do.

Source: DynamoDB Developer Guide, "Condition and filter expressions, operators, and functions" and
"Using update expressions". A comparison with an attribute that is absent is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Items by their attributes; None means that there is no item.
Item = dict[str, Any] | None


@dataclass(frozen=True)
class Condition:
    """``expression`` with its ``values`` holds for some items and not for others."""

    expression: str
    values: dict[str, Any]
    holds: Sequence[Item]
    fails: Sequence[Item]


#: By shape (`tests/support/dynamodb_shapes.py`).
CONDITIONS: dict[str, Condition] = {
    "a = ?": Condition("x=:a", {":a": 1}, [{"x": 1}], [{"x": 2}, {"x": "1"}, {"y": 1}, None]),
    "a = ? AND a < ?": Condition(
        "x=:a AND y<:b",
        {":a": "s", ":b": 5},
        [{"x": "s", "y": 4}],
        [{"x": "s", "y": 5}, {"x": "s"}, {"y": 4}, {"x": "s", "y": "4"}, None],
    ),
    "a = ? AND attribute_not_exists(a)": Condition(
        "x=:a AND attribute_not_exists(y)", {":a": 1}, [{"x": 1}], [{"x": 1, "y": 1}, None]
    ),
    "attribute_exists(a)": Condition("attribute_exists(pk)", {}, [{}, {"x": 1}], [None]),
    "attribute_exists(a) AND (attribute_not_exists(a) OR a < ?)": Condition(
        "attribute_exists(pk) AND (attribute_not_exists(x) OR x<:a)",
        {":a": "m"},
        [{}, {"x": "a"}],
        [{"x": "m"}, {"x": "z"}, None],
    ),
    "attribute_exists(a) AND (attribute_not_exists(a) OR a > ?)": Condition(
        "attribute_exists(pk) AND (attribute_not_exists(x) OR x>:a)",
        {":a": "m"},
        [{}, {"x": "z"}],
        [{"x": "m"}, {"x": "a"}, None],
    ),
    "attribute_exists(a) AND attribute_not_exists(a) AND (attribute_not_exists(a) OR a > ?)": (
        Condition(
            "attribute_exists(pk) AND attribute_not_exists(y) AND"
            " (attribute_not_exists(x) OR x>:a)",
            {":a": "m"},
            [{}, {"x": "z"}],
            [{"x": "m"}, {"y": 1}, {"x": "z", "y": 1}, None],
        )
    ),
    "attribute_exists(a) AND (attribute_not_exists(a) OR size(a) < ? OR contains(a, ?))": Condition(
        "attribute_exists(pk) AND (attribute_not_exists(x) OR size(x)<:n OR contains(x,:s))",
        {":n": 2, ":s": "c"},
        [{}, {"x": {"a"}}, {"x": {"a", "b", "c"}}],
        [{"x": {"a", "b"}}, None],
    ),
    "attribute_exists(a) AND a < ?": Condition(
        "attribute_exists(pk) AND x<:a",
        {":a": "m"},
        [{"x": "a"}],
        [{"x": "m"}, {"x": "z"}, {"x": 1}, {}, None],
    ),
    "attribute_exists(a) AND a <= ?": Condition(
        "attribute_exists(pk) AND x<=:a",
        {":a": 3},
        [{"x": 3}, {"x": -1}],
        [{"x": 4}, {}, None],
    ),
    "attribute_exists(a) AND a <= ? AND a = ?": Condition(
        "attribute_exists(pk) AND x<=:a AND y=:b",
        {":a": 3, ":b": "s"},
        [{"x": 3, "y": "s"}],
        [{"x": 4, "y": "s"}, {"x": 3, "y": "t"}, {"x": 3}, None],
    ),
    "attribute_exists(a) AND a = ?": Condition(
        "attribute_exists(pk) AND x=:a",
        {":a": {"d": 1}},
        [{"x": {"d": 1}}],
        [{"x": {"d": 2}}, {"x": {"d": 1, "e": 1}}, {}, None],
    ),
    "attribute_exists(a) AND a = ? AND (attribute_not_exists(a a) OR a a < ?)": Condition(
        "attribute_exists(pk) AND x=:a AND (attribute_not_exists(y.z) OR y.z<:n)",
        {":a": "s", ":n": 2},
        [{"x": "s", "y": {"z": 1}}, {"x": "s", "y": {}}, {"x": "s"}],
        [{"x": "s", "y": {"z": 2}}, {"x": "t"}, None],
    ),
    "attribute_exists(a) AND a = ? AND a < ?": Condition(
        "attribute_exists(pk) AND x=:a AND y<:b",
        {":a": "s", ":b": "m"},
        [{"x": "s", "y": "a"}],
        [{"x": "s", "y": "m"}, {"x": "t", "y": "a"}, {"x": "s"}, None],
    ),
    "attribute_exists(a) AND a = ? AND attribute_not_exists(a)": Condition(
        "attribute_exists(pk) AND x=:a AND attribute_not_exists(y)",
        {":a": "s"},
        [{"x": "s"}],
        [{"x": "s", "y": ""}, {"x": "t"}, None],
    ),
    "attribute_exists(a) AND a IN (?, ?, ?)": Condition(
        "attribute_exists(pk) AND x IN (:a,:b,:c)",
        {":a": "p", ":b": "q", ":c": "r"},
        [{"x": "p"}, {"x": "r"}],
        [{"x": "s"}, {}, None],
    ),
    "attribute_exists(a) AND attribute_not_exists(a)": Condition(
        "attribute_exists(pk) AND attribute_not_exists(x)", {}, [{}], [{"x": False}, {"x": 0}, None]
    ),
    "attribute_not_exists(a)": Condition("attribute_not_exists(pk)", {}, [None], [{}, {"x": 1}]),
    "attribute_not_exists(a) AND a = ?": Condition(
        "attribute_not_exists(x) AND y=:a",
        {":a": 1},
        [{"y": 1}],
        [{"y": 2}, {"x": 1}, {"x": 1, "y": 1}, {}, None],
    ),
    "attribute_not_exists(a) OR a < ? OR (a = ? AND (attribute_not_exists(a) OR a < ?))": Condition(
        "attribute_not_exists(pk) OR x<:a OR (y=:b AND (attribute_not_exists(z) OR z<:c))",
        {":a": 5, ":b": "s", ":c": 3},
        [None, {"x": 4}, {"x": 9, "y": "s"}, {"y": "s", "z": 2}],
        [{"x": 5}, {"x": 9, "y": "s", "z": 3}, {"x": 9, "y": "t"}],
    ),
    "attribute_not_exists(a) OR a <= ?": Condition(
        "attribute_not_exists(x) OR x<=:a", {":a": "m"}, [None, {}, {"x": "m"}], [{"x": "n"}]
    ),
    "attribute_not_exists(a) OR a <= ? OR a = ?": Condition(
        "attribute_not_exists(pk) OR x<=:a OR y=:b",
        {":a": 3, ":b": "s"},
        [None, {"x": 3}, {"x": 9, "y": "s"}],
        [{"x": 9}, {"x": 9, "y": "t"}, {}],
    ),
    "attribute_not_exists(a) OR a = ?": Condition(
        "attribute_not_exists(pk) OR x=:a", {":a": "s"}, [None, {"x": "s"}], [{"x": "t"}, {}]
    ),
}


@dataclass(frozen=True)
class Update:
    """``expression`` makes ``after`` of ``before``."""

    expression: str
    values: dict[str, Any]
    changes: Sequence[tuple[Item, dict[str, Any]]]


UPDATES: dict[str, Update] = {
    "SET a = ?": Update(
        "SET x=:a, y=:b",
        {":a": "s", ":b": {"d": [1]}},
        [
            (None, {"x": "s", "y": {"d": [1]}}),
            ({"x": 1, "z": 2}, {"x": "s", "y": {"d": [1]}, "z": 2}),
        ],
    ),
    # A number starts at 0, a set is a union.
    "ADD a ?": Update(
        "ADD x :n, y :s",
        {":n": -2, ":s": {"a", "b"}},
        [
            (None, {"x": -2, "y": {"a", "b"}}),
            ({"x": 5, "y": {"b", "c"}}, {"x": 3, "y": {"a", "b", "c"}}),
        ],
    ),
    "ADD a ? SET a = ?": Update(
        "ADD x :n SET y=:a",
        {":n": 1, ":a": 7},
        [(None, {"x": 1, "y": 7}), ({"x": 1}, {"x": 2, "y": 7})],
    ),
    "SET a = ? ADD a ?": Update(
        "SET y=:a ADD x :n", {":n": 1, ":a": 7}, [({"x": 1, "y": 2}, {"x": 2, "y": 7})]
    ),
    # To remove what is not there is no error.
    "REMOVE a": Update("REMOVE x", {}, [({"x": 1, "y": 2}, {"y": 2}), ({"y": 2}, {"y": 2})]),
    "SET a = ? REMOVE a": Update(
        "SET x=:a REMOVE y, z", {":a": 1}, [(None, {"x": 1}), ({"x": 0, "y": 2}, {"x": 1})]
    ),
    # A member of a map.
    "SET a a = ? REMOVE a": Update(
        "SET x.y=:a REMOVE z", {":a": True}, [({"x": {"y": 0}, "z": 1}, {"x": {"y": True}})]
    ),
    "ADD a ? SET a = ? REMOVE a": Update(
        "ADD x :n SET y=:a REMOVE z", {":n": 1, ":a": 7}, [({"z": 1}, {"x": 1, "y": 7})]
    ),
}

#: Sort keys of a partition -> those that a key condition finds, in order.
SORT_KEYS = ["A#1", "A#2", "A#2#x", "B#1", "B#10", "B#9", "C"]
KEYS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "a = ?": ("pk=:p", {}, SORT_KEYS),
    "a = ? AND a < ?": ("pk=:p AND sk<:a", {":a": "B#10"}, ["A#1", "A#2", "A#2#x", "B#1"]),
    "a = ? AND a BETWEEN ? AND ?": (
        "pk=:p AND sk BETWEEN :a AND :b",
        {":a": "A#2", ":b": "B#10"},
        ["A#2", "A#2#x", "B#1", "B#10"],
    ),
    "a = ? AND begins_with(a, ?)": (
        "pk=:p AND begins_with(sk, :a)",
        {":a": "B#1"},
        ["B#1", "B#10"],
    ),
}
